// SPDX-License-Identifier: Apache-2.0
// Graphs that are written as ONNX and read back are the same text; what cannot be written is a sentence.
#include "format/onnx_written.h"

static const char *round_trip(const char *text, OnnxWriteSettings settings) {
    OnnxModel model;
    OnnxWritten written;
    settings.written = &written;
    CHECK_OK(onnx_write(path, parsed(text), NULL, &settings, &err));
    CHECK_OK(onnx_read(&arena, path, &model, &err));
    ck_assert_int_eq(model.opset, written.opset);
    return printed(model.graph);
}

// The same text comes back from this opset and from all above it that are written.
static void keeps(const char *text, int64_t lowest) {
    int64_t found;
    CHECK_OK(onnx_lowest_opset(parsed(text), &found, &err));
    ck_assert_int_eq(found, lowest);
    for (int64_t opset = lowest; opset <= ONNX_WRITE_LAST; opset++)
        ck_assert_str_eq(round_trip(text, (OnnxWriteSettings){.opset = opset}), text);
    ck_assert_str_eq(round_trip(text, (OnnxWriteSettings){0}), text);
}

START_TEST(graphs_come_back) {
    setup();
    keeps("graph plain(T, B)\n"
          "  const @weight = {1, 2.5} : f32[2]\n"
          "  const @limit = {4} : f32[]\n"
          "  %x = input : f32[T,2]\n"
          "  %y = input : f32[B,?,2]\n"
          "  %sum = Add %x, @weight : f32[T,2]\n"
          "  %clipped = Clip %sum, _, @limit : f32[T,2]\n"
          "  %again = Add %clipped, @weight : f32[T,2]\n"
          "  %z = Add %y, %y : f32[B,?,2]\n"
          "  return %again, %z\n",
          14);
    keeps("graph attributes()\n"
          "  %x = input : f32[2,3]\n"
          "  %scaled = LeakyRelu %x {alpha=0.25} : f32[2,3]\n"
          "  %turned = Transpose %scaled {perm=[1,0]} : f32[3,2]\n"
          "  %summed = Einsum %turned {equation=\"ij->ji\"} : f32[2,3]\n"
          "  %joined = Concat %summed, %x {axis=-2} : f32[4,3]\n"
          "  return %joined\n",
          14);
    keeps("graph types()\n"
          "  const @half = {1.5} : f16[1]\n"
          "  const @brain = {2.5} : bf16[1]\n"
          "  const @flags = {1, 0} : bool[2]\n"
          "  const @small = {-3} : i8[]\n"
          "  const @none = {} : i64[0]\n"
          "  const @wide = {0.1} : f64[1]\n"
          "  %a = Identity @half : f16[1]\n"
          "  %b = Identity @brain : bf16[1]\n"
          "  %c = Identity @flags : bool[2]\n"
          "  %d = Identity @small : i8[]\n"
          "  %e = Identity @none : i64[0]\n"
          "  %f = Identity @wide : f64[1]\n"
          "  return %a, %b, %c, %d, %e, %f\n",
          14);
    keeps("graph com()\n"
          "  %x = input : f32[2,3]\n"
          "  %y = com.microsoft.QuickGelu %x {alpha=1.5} : f32[2,3]\n"
          "  return %y\n",
          14);
    teardown();
}
END_TEST

// Bytes whose rows are also read as columns: both lie in the file, within it or outside.
START_TEST(turned_matrices_are_put_in_order) {
    enum { ROWS = 150, COLUMNS = 70 };
    setup();
    int8_t *bytes = arena_array(&arena, (size_t)ROWS * COLUMNS, 1, &err);
    for (size_t i = 0; i < (size_t)ROWS * COLUMNS; i++)
        bytes[i] = (int8_t)(i * i % 251);
    for (int64_t least = 0; least < 2; least++) {
        OnnxModel read;
        OnnxWritten written;
        OnnxWriteSettings settings = {.external = least ? ONNX_EXTERNAL_NEVER : ONNX_EXTERNAL_ALWAYS,
                                      .written = &written};
        Graph *graph =
            parsed("graph both()\n  const @rows : i8[70,150]\n  const @columns : i8[150,70]\n"
                   "  %a = Identity @rows : i8[70,150]\n  %b = Identity @columns : i8[150,70]\n  return %a, %b\n");
        for (size_t c = 0; c < 2; c++)
            ((Constant *)graph->constants[c])->data = bytes;
        ((Constant *)graph_find_constant(graph, "columns"))->turned = true;
        CHECK_OK(onnx_write(path, graph, NULL, &settings, &err));
        ck_assert_uint_eq(written.external_bytes > 0, !least);
        CHECK_OK(onnx_read(&arena, path, &read, &err));
        const int8_t *rows = graph_find_constant(read.graph, "rows")->data;
        const int8_t *columns = graph_find_constant(read.graph, "columns")->data;
        for (size_t r = 0; r < ROWS; r++)
            for (size_t c = 0; c < COLUMNS; c++) {
                ck_assert_int_eq(rows[c * ROWS + r], bytes[c * ROWS + r]);
                ck_assert_int_eq(columns[r * COLUMNS + c], bytes[c * ROWS + r]);
            }
    }
    teardown();
}
END_TEST

START_TEST(older_forms_come_back) {
    setup();
    keeps("graph reduce()\n"
          "  const @axes = {1} : i64[1]\n"
          "  %x = input : f32[2,3]\n"
          "  %mean = ReduceMean %x, @axes {keepdims=0} : f32[2]\n"
          "  %all = ReduceMax %x : f32[1,1]\n"
          "  return %mean, %all\n",
          14);
    keeps("graph fill()\n"
          "  const @value = {7} : i64[1]\n"
          "  %shape = input : i64[2]\n"
          "  %y = ConstantOfShape %shape, @value : i64[?,?]\n"
          "  return %y\n",
          14);
    keeps("graph gelu()\n"
          "  %x = input : f32[2,3]\n"
          "  %y = Gelu %x {approximate=tanh} : f32[2,3]\n"
          "  return %y\n",
          20);
    // as many parts as there are outputs, since opset 18 by name
    const char *plain = "graph split()\n  %x = input : f32[4]\n  %a, %b = Split %x : f32[2], f32[2]\n  return %a, %b\n";
    const char *counted = "graph split()\n  %x = input : f32[4]\n  %a, %b = Split %x {num_outputs=2} : f32[2], f32[2]\n"
                          "  return %a, %b\n";
    ck_assert_str_eq(round_trip(plain, (OnnxWriteSettings){.opset = 17}), plain);
    ck_assert_str_eq(round_trip(plain, (OnnxWriteSettings){.opset = 18}), counted);
    ck_assert_str_eq(round_trip(counted, (OnnxWriteSettings){0}), plain);
    teardown();
}
END_TEST

// The axes that became an attribute are no initializer any more, unless somebody else reads them.
START_TEST(constants_are_written_when_they_are_read) {
    setup();
    ck_assert_str_eq(round_trip("graph g()\n"
                                "  const @unread = {1} : f32[1]\n"
                                "  const @axes = {0} : i64[1]\n"
                                "  const @both = {1} : i64[1]\n"
                                "  %x = input : f32[2,3]\n"
                                "  %a = ReduceMax %x, @axes : f32[1,3]\n"
                                "  %b = ReduceMax %x, @both : f32[2,1]\n"
                                "  %c = Add @both, @both : i64[1]\n"
                                "  return %a, %b, %c\n",
                                (OnnxWriteSettings){.opset = 17}),
                     "graph g()\n"
                     "  const @both = {1} : i64[1]\n"
                     "  const @axes = {0} : i64[1]\n"
                     "  const @axes.1 = {1} : i64[1]\n"
                     "  %x = input : f32[2,3]\n"
                     "  %a = ReduceMax %x, @axes : f32[1,3]\n"
                     "  %b = ReduceMax %x, @axes.1 : f32[2,1]\n"
                     "  %c = Add @both, @both : i64[1]\n"
                     "  return %a, %b, %c\n");
    ck_assert_str_eq(round_trip("graph real()\n  %x = input : f32[2]\n  %y = Elu %x {alpha=2} : f32[2]\n  return %y\n",
                                (OnnxWriteSettings){0}),
                     "graph real()\n  %x = input : f32[2]\n  %y = Elu %x {alpha=2} : f32[2]\n  return %y\n");
    teardown();
}
END_TEST

static const char bodies[] = "graph outer(T)\n"
                             "  const @one = {1} : f32[1]\n"
                             "  %go = input : bool[]\n"
                             "  %x = input : f32[T]\n"
                             "  %trips = input : i64[]\n"
                             "  %y = If %go, %x, @one {else_branch=(\n"
                             "    graph else_branch(T)\n"
                             "      %x = input : f32[T]\n"
                             "      %one = input : f32[1]\n"
                             "      %less = Sub %x, %one : f32[T]\n"
                             "      return %less\n"
                             "  ), then_branch=(\n"
                             "    graph then_branch(T)\n"
                             "      const @two = {2} : f32[1]\n"
                             "      %x = input : f32[T]\n"
                             "      %more = Add %x, @two : f32[T]\n"
                             "      %one = input : f32[1]\n"
                             "      %most = Add %more, %one : f32[T]\n"
                             "      return %most\n"
                             "  )} : f32[T]\n"
                             "  %last, %all = Loop %trips, %go, %y, %x {body=(\n"
                             "    graph body(T)\n"
                             "      %i = input : i64[]\n"
                             "      %c = input : bool[]\n"
                             "      %now = input : f32[T]\n"
                             "      %on = Identity %c : bool[]\n"
                             "      %x = input : f32[T]\n"
                             "      %next = Mul %now, %x : f32[T]\n"
                             "      %seen = Identity %next : f32[T]\n"
                             "      return %on, %next, %seen\n"
                             "  ), carried=1} : f32[T], f32[?,T]\n"
                             "  return %last, %all\n";

START_TEST(bodies_read_from_around_them) {
    setup();
    keeps(bodies, 14);
    Bytes file;
    CHECK_OK(file_map(&arena, path, &file, &err));
    ck_assert_ptr_null(memmem(file.data, file.size, "carried", 7));
    teardown();
}
END_TEST

// One set of names for values and constants, none of which a body has for something else; inputs and outputs keep
// theirs.
// Of 64 numbers each: one that the outermost graph has too, one of both branches under one name, and one under another
// whose bytes are not the same.
static const char sharing[] = "graph g()\n"
                              "  const @w : f32[64]\n"
                              "  %go = input : bool[]\n"
                              "  %x = input : f32[64]\n"
                              "  %mid = Add %x, @w : f32[64]\n"
                              "  %y = If %go, %mid {else_branch=(\n"
                              "    graph else_branch()\n"
                              "      const @v : f32[64]\n"
                              "      const @mid : f32[64]\n"
                              "      %a = input : f32[64]\n"
                              "      %late = Add %a, @v : f32[64]\n"
                              "      %b = Sub %late, @mid : f32[64]\n"
                              "      return %b\n"
                              "  ), then_branch=(\n"
                              "    graph then_branch()\n"
                              "      const @v : f32[64]\n"
                              "      const @late : f32[64]\n"
                              "      %a = input : f32[64]\n"
                              "      %b = Mul %a, @v : f32[64]\n"
                              "      %c = Sub %b, @late : f32[64]\n"
                              "      return %c\n"
                              "  )} : f32[64]\n"
                              "  return %y\n";

static void numbers_give(const Graph *graph, size_t constant, float first) {
    float *values = arena_array(&arena, 64, sizeof *values, &err);
    ck_assert_ptr_nonnull(values);
    for (size_t i = 0; i < 64; i++)
        values[i] = first + (float)i;
    graph->constants[constant]->data = values;
}

START_TEST(equal_weights_of_bodies_lie_once) {
    setup();
    Graph *graph = parsed(sharing);
    const Node *node = graph->returns[0].node;
    const Graph *without = node_graph(node, "else_branch"), *with = node_graph(node, "then_branch");
    numbers_give(graph, 0, 1);
    numbers_give(without, 0, 1); // as the outermost graph's
    numbers_give(without, 1, 2);
    numbers_give(with, 0, 2); // as the other branch's under another name
    numbers_give(with, 1, 3);
    OnnxWritten written;
    OnnxModel model;
    OnnxWriteSettings settings = {.written = &written};
    CHECK_OK(onnx_write(path, graph, NULL, &settings, &err));
    ck_assert_msg(written.bytes < 5 * 256, "%llu bytes for 3 constants of 256", (unsigned long long)written.bytes);
    CHECK_OK(onnx_read(&arena, path, &model, &err));
    ck_assert_uint_eq(model.graph->constant_count, 3);
    const Node *read = model.graph->returns[0].node;
    ck_assert_uint_eq(read->input_count, 5);
    for (size_t i = 1; i < read->input_count; i++) {
        const Constant *constant = read->inputs[i].constant;
        float first = 0;
        if (constant)
            memcpy(&first, constant->data, sizeof first);
        ck_assert(!constant || (first >= 1 && first <= 3));
    }
    teardown();
}
END_TEST

START_TEST(names_are_told_apart) {
    setup();
    ck_assert_str_eq(round_trip("graph g()\n"
                                "  const @x = {1} : f32[1]\n"
                                "  const @\"x.1\" = {2} : f32[1]\n"
                                "  %go = input : bool[]\n"
                                "  %x = input : f32[1]\n"
                                "  %mid = Add %x, @x : f32[1]\n"
                                "  %y = If %go, %x {else_branch=(\n"
                                "    graph else_branch()\n"
                                "      %a = input : f32[1]\n"
                                "      %late = Abs %a : f32[1]\n"
                                "      return %late\n"
                                "  ), then_branch=(\n"
                                "    graph then_branch()\n"
                                "      %a = input : f32[1]\n"
                                "      %mid = Neg %a : f32[1]\n"
                                "      return %mid\n"
                                "  )} : f32[1]\n"
                                "  %late = Add %mid, @\"x.1\" : f32[1]\n"
                                "  return %y, %late\n",
                                (OnnxWriteSettings){0}),
                     "graph g()\n"
                     "  const @x.1 = {1} : f32[1]\n"
                     "  const @x.1.1 = {2} : f32[1]\n"
                     "  %go = input : bool[]\n"
                     "  %x = input : f32[1]\n"
                     "  %mid = Add %x, @x.1 : f32[1]\n"
                     "  %y = If %go, %x {else_branch=(\n"
                     "    graph else_branch()\n"
                     "      %x = input : f32[1]\n"
                     "      %late.1 = Abs %x : f32[1]\n"
                     "      return %late.1\n"
                     "  ), then_branch=(\n"
                     "    graph then_branch()\n"
                     "      %x = input : f32[1]\n"
                     "      %mid.1 = Neg %x : f32[1]\n"
                     "      return %mid.1\n"
                     "  )} : f32[1]\n"
                     "  %late = Add %mid, @x.1.1 : f32[1]\n"
                     "  return %y, %late\n");
    teardown();
}
END_TEST

START_TEST(outputs_bear_their_names) {
    setup();
    Graph *graph = parsed("graph g()\n"
                          "  const @c = {1} : f32[1]\n"
                          "  %x = input : f32[1]\n"
                          "  %b = Abs %x : f32[1]\n"
                          "  %y = Neg %b : f32[1]\n"
                          "  return %y, %y, %x, @c, %x\n");
    const char *const names[] = {"b", "copy", "same", "constant", "x"};
    OnnxModel model;
    CHECK_OK(onnx_write(path, graph, names, &(OnnxWriteSettings){0}, &err));
    CHECK_OK(onnx_read(&arena, path, &model, &err));
    ck_assert_str_eq(printed(model.graph), "graph g()\n"
                                           "  const @c = {1} : f32[1]\n"
                                           "  %x = input : f32[1]\n"
                                           "  %b.1 = Abs %x : f32[1]\n"
                                           "  %b = Neg %b.1 : f32[1]\n"
                                           "  %copy = Identity %b : f32[1]\n"
                                           "  %same = Identity %x : f32[1]\n"
                                           "  %constant = Identity @c : f32[1]\n"
                                           "  return %b, %copy, %same, %constant, %x\n");
    for (size_t i = 0; i < 5; i++)
        ck_assert_str_eq(model.output_names[i], names[i]);
    const char *const twice[] = {"b", "b", "same", "constant", "x"}, *const taken[] = {"x", "b", "d", "e", "f"};
    CHECK_FAILS(onnx_write(path, graph, twice, &(OnnxWriteSettings){0}, &err), ERR_USAGE,
                "output 1 cannot be called 'b'");
    CHECK_FAILS(onnx_write(path, graph, taken, &(OnnxWriteSettings){0}, &err), ERR_USAGE,
                "output 0 cannot be called 'x'");
    teardown();
}
END_TEST

static void refused(const char *text, int64_t opset, Status status, const char *why) {
    OnnxWriteSettings settings = {.opset = opset};
    CHECK_FAILS(onnx_write(path, parsed(text), NULL, &settings, &err), status, why);
    ck_assert_int_eq(path_kind(path), PATH_NONE);
}

START_TEST(what_cannot_be_written_is_a_sentence) {
    setup();
    refused("graph g()\n  %x = input : f32[2]\n  %y = Gelu %x : f32[2]\n  return %y\n", 19, ERR_UNSUPPORTED,
            "node 'y' (Gelu) is in opset 20 and later, the model is to be in opset 19");
    refused("graph g()\n  %x = input : bf16[2]\n  %y = Sin %x : bf16[2]\n  return %y\n", 21, ERR_UNSUPPORTED,
            "node 'y' (Sin) with 'bf16' is in opset 22");
    refused("graph g()\n  %x = input : f32[2]\n  %y = Cast %x {saturate=1, to=1} : f32[2]\n  return %y\n", 18,
            ERR_UNSUPPORTED, "node 'y' (Cast) with 'saturate' is in opset 19");
    refused("graph g()\n  %x = input : f32[2]\n  %a = input : i64[1]\n  %y = ReduceMax %x, %a : f32[?]\n  return %y\n",
            17, ERR_UNSUPPORTED, "node 'y' (ReduceMax) with 'axes that are no constant' is in opset 18");
    refused("graph g()\n  %x = input : f32[3]\n  %y, %z = Split %x {num_outputs=2} : f32[2], f32[1]\n  return %y, %z\n",
            17, ERR_UNSUPPORTED, "node 'y' (Split) with 'parts of unequal or unknown size' is in opset 18");
    refused("graph g()\n  %x = input : f32[3]\n  %p = input : i64[2]\n  %a = input : i64[1]\n"
            "  %y = Pad %x, %p, _, %a : f32[?]\n  return %y\n",
            17, ERR_UNSUPPORTED, "node 'y' (Pad) with 'axes' is in opset 18");
    refused("graph g()\n  %x = input : f32[2]\n  return %x\n", 13, ERR_USAGE, "opset 13, those from 14 to 27");
    refused("graph g()\n  %x = input : f32[2]\n  %s = input : i64[1]\n  %y = ConstantOfShape %s, %x : f32[?]\n  return "
            "%y\n",
            0, ERR_UNSUPPORTED, "its value is no constant of one element");
    refused("graph g()\n  const @c : f32[2]\n  %y = Abs @c : f32[2]\n  return %y\n", 0, ERR_UNSUPPORTED,
            "constant '@c' has no values");
    refused("graph g()\n  const @c = {1, 2} scales {1} : s8/row[1,2]\n  %y = Abs @c : f32[1,2]\n  return %y\n", 0,
            ERR_UNSUPPORTED, "constant '@c' is quantized by row or group");
    refused("graph g(T)\n  %x = input : f32[T,2]\n  %y = scale %x {factor=2} : f32[T,2]\n  return %y\n", 0,
            ERR_UNSUPPORTED, "node 'y' (scale): ONNX has no such operator");
    teardown();
}
END_TEST

TEST_MAIN("onnx_write", graphs_come_back, turned_matrices_are_put_in_order, older_forms_come_back,
          constants_are_written_when_they_are_read, bodies_read_from_around_them, equal_weights_of_bodies_lie_once,
          names_are_told_apart, outputs_bear_their_names, what_cannot_be_written_is_a_sentence)
