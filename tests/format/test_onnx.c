// SPDX-License-Identifier: Apache-2.0
// ONNX models as graphs: what good files mean.
#include "format/onnx_craft.h"

// The model reads as a graph that prints so.
static const OnnxModel *check_reads(Bytes file, const char *folder, const char *expected) {
    static OnnxModel model;
    CHECK_OK(onnx_read_bytes(&arena, "x.onnx", folder, file, &model, &err));
    const char *text = untyped(graph_text(model.graph));
    ck_assert_msg(strcmp(text, expected) == 0, "expected:\n%s\nfound:\n%s", expected, text);
    return &model;
}

START_TEST(small_graph) {
    arena_init(&arena, 0);
    Buffer g = {0}, more = {0};
    float w[] = {1, 2.5f, -3};
    put_text(&g, 2, "small");
    put_value(&g, 11, "x", 1, "B,3");
    put_value(&g, 11, "odd name", 1, "past + 1,past - 1,?,4");
    put_value(&g, 11, "z", 7, NULL);
    put_value(&g, 12, "y", 1, "B,3");
    put_value(&g, 12, "w", 1, "3");
    put_value(&g, 12, "x", 0, NULL);
    put_tensor(&g, 5, "w", 1, "3", w, sizeof w);
    put_node(&g, 1, "Add", "x,w", "sum", NULL);
    put_node(&g, 1, "ai.onnx:Relu", "sum", "y", NULL);
    put_text(&more, 2, "maker");
    put_text(&more, 3, "7");
    Bytes file = make_model(&g, 8, 17, &more);
    ck_assert(onnx_recognise(file));
    const OnnxModel *model = check_reads(file, ".",
                                         "graph small(B, d_past___1, d_past___1_2)\n"
                                         "  const @w = {1, 2.5, -3} : f32[3]\n"
                                         "  %x = input : f32[B,3]\n"
                                         "  %\"odd name\" = input : f32[d_past___1,d_past___1_2,?,4]\n"
                                         "  %z = input : ?\n"
                                         "  %sum = Add %x, @w\n"
                                         "  %y = Relu %sum\n"
                                         "  return %y, @w, %x\n");
    ck_assert_str_eq(model->producer, "maker 7");
    ck_assert(model->ir_version == 8 && model->opset == 17);
    ck_assert_str_eq(model->output_names[0], "y");
    ck_assert_str_eq(model->output_names[1], "w");
    arena_done(&arena);
}
END_TEST

// Every element type, as raw data and in the field for it: 1 and 0.
START_TEST(initializers) {
    static const struct {
        int type;
        unsigned field;
        const char *raw;
        size_t bytes;
    } cases[] = {
        {1, 4, "\0\0\x80\x3F\0\0\0", 8},
        {2, 5, "\1\0", 2},
        {3, 5, "\1\0", 2},
        {4, 5, "\1\0\0\0", 4},
        {5, 5, "\1\0\0\0", 4},
        {6, 5, "\1\0\0\0\0\0\0\0", 8},
        {7, 7, "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16},
        {9, 5, "\1\0", 2},
        {10, 5, "\0\x3C\0\0", 4},
        {11, 10, "\0\0\0\0\0\0\xF0\x3F\0\0\0\0\0\0\0\0", 16},
        {12, 11, "\1\0\0\0\0\0\0\0", 8},
        {13, 11, "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16},
        {16, 5, "\x80\x3F\0\0", 4},
    };
    arena_init(&arena, 0);
    Buffer g = {0};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char name[16];
        Buffer tensor = {0};
        snprintf(name, sizeof name, "raw%d", cases[i].type);
        put_tensor(&g, 5, name, cases[i].type, "2", cases[i].raw, cases[i].bytes);
        put_value(&g, 12, name, 0, NULL);
        snprintf(name, sizeof name, "typed%d", cases[i].type);
        put_tensor_head(&tensor, name, cases[i].type, "2");
        double one = 1;
        int one_as_integer = cases[i].type == 10 ? 0x3C00 : cases[i].type == 16 ? 0x3F80 : 1;
        if (cases[i].field == 4) {
            put_float(&tensor, 4, 1);
            put_float(&tensor, 4, 0);
        } else if (cases[i].field == 10) {
            put_varint(&tensor, 10 << 3 | 1);
            buffer_add(&tensor, &one, 8);
            put_bytes(&tensor, 10, "\0\0\0\0\0\0\0", 8);
        } else {
            put_int(&tensor, cases[i].field, one_as_integer);
            put_bytes(&tensor, cases[i].field, "\0", 1);
        }
        put_message(&g, 5, &tensor);
    }
    put_tensor(&g, 5, "scalar", 7, "", "\5\0\0\0\0\0\0", 8);
    put_tensor(&g, 5, "none", 1, "2,0,3", "", 0);
    check_reads(
        make_model(&g, 8, 17, NULL), ".",
        "graph main()\n"
        "  const @raw1 = {1, 0} : f32[2]\n"
        "  const @typed1 = {1, 0} : f32[2]\n"
        "  const @raw2 = {1, 0} : u8[2]\n"
        "  const @typed2 = {1, 0} : u8[2]\n"
        "  const @raw3 = {1, 0} : i8[2]\n"
        "  const @typed3 = {1, 0} : i8[2]\n"
        "  const @raw4 = {1, 0} : u16[2]\n"
        "  const @typed4 = {1, 0} : u16[2]\n"
        "  const @raw5 = {1, 0} : i16[2]\n"
        "  const @typed5 = {1, 0} : i16[2]\n"
        "  const @raw6 = {1, 0} : i32[2]\n"
        "  const @typed6 = {1, 0} : i32[2]\n"
        "  const @raw7 = {1, 0} : i64[2]\n"
        "  const @typed7 = {1, 0} : i64[2]\n"
        "  const @raw9 = {1, 0} : bool[2]\n"
        "  const @typed9 = {1, 0} : bool[2]\n"
        "  const @raw10 = {1, 0} : f16[2]\n"
        "  const @typed10 = {1, 0} : f16[2]\n"
        "  const @raw11 = {1, 0} : f64[2]\n"
        "  const @typed11 = {1, 0} : f64[2]\n"
        "  const @raw12 = {1, 0} : u32[2]\n"
        "  const @typed12 = {1, 0} : u32[2]\n"
        "  const @raw13 = {1, 0} : u64[2]\n"
        "  const @typed13 = {1, 0} : u64[2]\n"
        "  const @raw16 = {1, 0} : bf16[2]\n"
        "  const @typed16 = {1, 0} : bf16[2]\n"
        "  const @scalar = {5} : i64[]\n"
        "  const @none = {} : f32[2,0,3]\n"
        "  return @raw1, @raw2, @raw3, @raw4, @raw5, @raw6, @raw7, @raw9, @raw10, @raw11, @raw12, @raw13, @raw16\n");
    arena_done(&arena);
}
END_TEST

START_TEST(external_data) {
    arena_init(&arena, 0);
    char folder[64];
    scratch_make(folder);
    float a[] = {1, 2, 3, 4};
    unsigned char odd[9] = {0};
    memcpy(odd + 1, a + 2, 8);
    scratch_put(&arena, folder, "a.bin", a, sizeof a);
    scratch_put(&arena, folder, "odd..bin", odd, sizeof odd);
    scratch_put(&arena, folder, "empty", "", 0);
    Buffer g = {0};
    put_external(&g, "whole", 1, "4", "a.bin", NULL, NULL);
    put_external(&g, "tied", 1, "2,2", "a.bin", "0", "16");
    put_external(&g, "odd", 1, "2", "odd..bin", "1", "8");
    put_external(&g, "odd again", 1, "1,2", "./odd..bin", "1", NULL);
    put_external(&g, "nothing", 1, "0", "empty", "0", "0");
    put_external(&g, "at the end", 1, "0", "a.bin", "16", NULL);
    put_node(&g, 1, "Add", "whole,tied", "y", NULL);
    put_value(&g, 12, "y", 0, NULL);
    Bytes file = make_model(&g, 8, 17, NULL);
    const OnnxModel *model = check_reads(file, folder,
                                         "graph main()\n"
                                         "  const @whole = {1, 2, 3, 4} : f32[4]\n"
                                         "  const @tied = {1, 2, 3, 4} : f32[2,2]\n"
                                         "  const @odd = {3, 4} : f32[2]\n"
                                         "  const @\"odd again\" = {3, 4} : f32[1,2]\n"
                                         "  const @nothing = {} : f32[0]\n"
                                         "  const @\"at the end\" = {} : f32[0]\n"
                                         "  %y = Add @whole, @tied\n"
                                         "  return %y\n");
    ck_assert_ptr_eq(graph_find_constant(model->graph, "whole")->data, graph_find_constant(model->graph, "tied")->data);
    char *path = path_join(&arena, folder, "m.onnx", &err);
    scratch_put(&arena, folder, "m.onnx", file.data, file.size);
    OnnxModel mapped;
    bool is_onnx = false;
    CHECK_OK(onnx_is_file(&arena, path, &is_onnx, &err));
    CHECK_OK(onnx_read(&arena, path, &mapped, &err));
    ck_assert(is_onnx);
    ck_assert_str_eq(graph_text(mapped.graph), graph_text(model->graph));
    // A folder of links to where all of it lies, as huggingface_hub's cache has it.
    static const char *const names[] = {"a.bin", "odd..bin", "empty", "m.onnx"};
    char links[64];
    scratch_make(links);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        ck_assert_int_eq(symlink(path_join(&arena, folder, names[i], &err), path_join(&arena, links, names[i], &err)),
                         0);
    CHECK_OK(onnx_read(&arena, path_join(&arena, links, "m.onnx", &err), &mapped, &err));
    ck_assert_str_eq(graph_text(mapped.graph), graph_text(model->graph));
    CHECK_FAILS(onnx_read_bytes(&arena, "x", links, file, &mapped, &err), ERR_FORMAT, "lies outside of the model's");
    scratch_done(&arena, links);
    scratch_done(&arena, folder);
    arena_done(&arena);
}
END_TEST

// Old files list initializers among the inputs; what files claim of values fills what rules cannot tell.
START_TEST(inputs_and_claims) {
    arena_init(&arena, 0);
    Buffer g = {0};
    put_value(&g, 11, "x", 1, NULL);
    put_value(&g, 11, "w", 1, "1");
    put_value(&g, 12, "y", 1, "B,1");
    put_value(&g, 13, "h", 1, "B,1");
    put_value(&g, 13, "h", 1, "N,1");
    put_value(&g, 13, "s", 8, "B,1");
    put_value(&g, 13, "nobody", 1, "Q");
    put_tensor(&g, 5, "w", 1, "1", "\0\0\0", 4);
    put_node(&g, 1, "Add", "x,w", "h", NULL);
    put_node(&g, 1, "Identity", "h", "y", NULL);
    const OnnxModel *model = check_reads(make_model(&g, 3, 7, NULL), ".",
                                         "graph main(B, N, Q)\n"
                                         "  const @w = {0} : f32[1]\n"
                                         "  %x = input : ?\n"
                                         "  %h = Add %x, @w\n"
                                         "  %y = Identity %h\n"
                                         "  return %y\n");
    ck_assert_ptr_nonnull(strstr(graph_text(model->graph), "%h = Add %x, @w : f32[N,1]\n"));
    arena_done(&arena);
}
END_TEST

static void put_constant(Buffer *graph, const char *output, Buffer *attributes) {
    put_node(graph, 1, "Constant", "", output, attributes);
    put_value(graph, 12, output, 0, NULL);
}

// The names that ONNX's shape inference makes up are not taken over for values in between.
START_TEST(made_up_dimensions) {
    arena_init(&arena, 0);
    Buffer g = {0};
    put_text(&g, 2, "g");
    put_value(&g, 11, "x", 1, NULL);
    put_value(&g, 12, "y", 1, "N,unk__1");
    put_value(&g, 13, "h", 1, "unk__0,N,3");
    put_node(&g, 1, "Relu", "x", "h", NULL);
    put_node(&g, 1, "Relu", "h", "y", NULL);
    OnnxModel model;
    CHECK_OK(onnx_read_bytes(&arena, "x", ".", make_model(&g, 8, 17, NULL), &model, &err));
    const ValueType *type = &model.graph->nodes[1]->types[0];
    ck_assert(type->rank == 3 && type->dims[0].variable && type->dims[0].value == DIM_UNKNOWN);
    ck_assert(type->dims[1].variable && strcmp(model.graph->dims[type->dims[1].value], "N") == 0);
    ck_assert(!type->dims[2].variable && type->dims[2].value == 3);
    arena_done(&arena);
}
END_TEST

START_TEST(constants) {
    arena_init(&arena, 0);
    static const int64_t ints[] = {3, -1};
    Buffer g = {0}, a = {0}, tensor = {0}, floats = {0};
    put_tensor_head(&tensor, "its own name", 1, "1");
    put_bytes(&tensor, 9, "\0\0\x80\x3F", 4);
    put_attribute_message(&a, "value", ATTRIBUTE_T, &tensor);
    put_constant(&g, "tensor", &a);
    put_attribute_int(&a, "value_int", -7);
    put_constant(&g, "int", &a);
    put_attribute_ints(&a, "value_ints", ints, 2);
    put_constant(&g, "ints", &a);
    put_attribute_ints(&a, "value_ints", ints, 0);
    put_constant(&g, "no ints", &a);
    put_attribute_float(&a, "value_float", 0.5f);
    put_constant(&g, "float", &a);
    put_float(&floats, 7, 1);
    put_float(&floats, 7, 2);
    attribute_end(&a, &floats, "value_floats", ATTRIBUTE_FS);
    put_constant(&g, "floats", &a);
    check_reads(make_model(&g, 8, 13, NULL), ".",
                "graph main()\n"
                "  const @tensor = {1} : f32[1]\n"
                "  const @int = {-7} : i64[]\n"
                "  const @ints = {3, -1} : i64[2]\n"
                "  const @\"no ints\" = {} : i64[0]\n"
                "  const @float = {0.5} : f32[]\n"
                "  const @floats = {1, 2} : f32[2]\n"
                "  return @tensor, @int, @ints, @\"no ints\", @float, @floats\n");
    static const char *const refused[] = {"value_string", "value_strings", "sparse_value", "value"};
    for (size_t i = 0; i < ARRAY_COUNT(refused); i++) {
        OnnxModel model;
        put_attribute_text(&a, refused[i], "text");
        put_constant(&g, "c", &a);
        CHECK_FAILS(onnx_read_bytes(&arena, "x", ".", make_model(&g, 8, 13, NULL), &model, &err), ERR_UNSUPPORTED,
                    "texts and sparse tensors are not read");
    }
    arena_done(&arena);
}
END_TEST

// twice(v) {alpha} = inner(inner(v)), inner(v) {slope, axis default 1} = v + LeakyRelu(v).
START_TEST(functions) {
    arena_init(&arena, 0);
    Buffer more = {0}, f = {0}, a = {0}, d = {0}, g = {0};
    put_text(&f, 1, "inner");
    put_text(&f, 10, "my");
    put_list(&f, 4, "v,unused");
    put_list(&f, 5, "r,extra");
    put_list(&f, 6, "slope");
    put_attribute_reference(&a, "alpha", "slope", ATTRIBUTE_F);
    put_attribute_reference(&a, "nowhere", "nowhere", ATTRIBUTE_F);
    put_node(&f, 7, "LeakyRelu", "v", "l", &a);
    put_attribute_reference(&a, "axis", "axis", ATTRIBUTE_I);
    put_node(&f, 7, "Softmax", "l", "s", &a);
    put_node(&f, 7, "Clip", "s,unused,v", "c", NULL);
    put_node(&f, 7, "Add", "v,c", "r", NULL);
    put_node(&f, 7, "Identity", "r", "extra", NULL);
    put_int(&d, 3, 0);
    put_text(&d, 1, "axis");
    put_int(&d, 20, ATTRIBUTE_I);
    put_message(&f, 11, &d); // a default, which came after Debian's onnx.proto
    put_opset(&f, 9, 18);
    put_message(&more, 25, &f);
    put_text(&f, 1, "twice");
    put_text(&f, 10, "my");
    put_list(&f, 4, "v");
    put_list(&f, 5, "r");
    put_list(&f, 6, "alpha,axis");
    put_attribute_reference(&a, "slope", "alpha", ATTRIBUTE_F);
    put_node(&f, 7, "my:inner", "v", "h", &a);
    put_attribute_reference(&a, "slope", "none", ATTRIBUTE_F);
    put_attribute_reference(&a, "axis", "axis", ATTRIBUTE_I);
    put_node(&f, 7, "my:inner", "h,h", "r,", &a);
    put_message(&more, 25, &f);
    put_value(&g, 11, "x", 1, "2,3");
    put_value(&g, 12, "r", 1, "2,3");
    put_attribute_float(&a, "alpha", 0.25f);
    put_attribute_int(&a, "axis", -1);
    put_node(&g, 1, "my:twice", "x", "l", &a);
    put_node(&g, 1, "my:inner", "l", "r,l2", NULL);
    check_reads(make_model(&g, 9, 18, &more), ".",
                "graph main()\n"
                "  %x = input : f32[2,3]\n"
                "  %l = LeakyRelu %x {alpha=0.25}\n"
                "  %s = Softmax %l {axis=0}\n"
                "  %c = Clip %s, _, %x\n"
                "  %r = Add %x, %c\n"
                "  %extra = Identity %r\n"
                "  %l.1 = LeakyRelu %r\n"
                "  %s.1 = Softmax %l.1 {axis=-1}\n"
                "  %c.1 = Clip %s.1, %r, %r\n"
                "  %r.1 = Add %r, %c.1\n"
                "  %extra.1 = Identity %r.1\n"
                "  %l.2 = LeakyRelu %r.1\n"
                "  %s.2 = Softmax %l.2 {axis=0}\n"
                "  %c.2 = Clip %s.2, _, %r.1\n"
                "  %r.2 = Add %r.1, %c.2\n"
                "  %extra.2 = Identity %r.2\n"
                "  return %r.2\n");
    arena_done(&arena);
}
END_TEST

// A body: `nodes` has its nodes and initializers already.
static void put_body(Buffer *attributes, const char *name, Buffer *nodes, const char *outputs) {
    while (*outputs) {
        size_t bytes = strcspn(outputs, ",");
        put_value(nodes, 12, arena_copy_text(&arena, outputs, bytes, &err), 0, NULL);
        outputs += bytes + (outputs[bytes] == ',');
    }
    put_attribute_message(attributes, name, ATTRIBUTE_G, nodes);
}

// Both branches get what either reads, in one order; what a body within reads comes through the one around it.
START_TEST(bodies) {
    arena_init(&arena, 0);
    Buffer g = {0}, then = {0}, other = {0}, inside = {0}, none = {0}, a = {0}, b = {0};
    put_value(&g, 11, "c", 9, "");
    put_value(&g, 11, "p", 1, "N");
    put_value(&g, 11, "q", 1, "N");
    put_value(&g, 11, "r", 1, "N");
    put_value(&g, 12, "y", 1, "N");
    put_tensor(&g, 5, "w", 1, "1", "\0\0\x80\x3F", 4);
    put_node(&then, 1, "Add", "q,p", "t", NULL);
    put_tensor(&then, 5, "own", 1, "1", "\0\0\0\x40", 4);
    put_node(&then, 1, "Add", "t,own", "t2", NULL);
    put_body(&a, "then_branch", &then, "t2");
    put_node(&inside, 1, "Add", "r,w", "i", NULL);
    put_body(&b, "then_branch", &inside, "i");
    put_node(&none, 1, "Identity", "p", "n", NULL);
    put_body(&b, "else_branch", &none, "n");
    put_node(&other, 1, "Identity", "r", "r2", NULL);
    put_node(&other, 1, "If", "c", "e", &b);
    put_node(&other, 1, "Add", "e,q", "e2", NULL);
    put_body(&a, "else_branch", &other, "e2");
    put_node(&g, 1, "If", "c", "y", &a);
    check_reads(make_model(&g, 8, 17, NULL), ".",
                "graph main(N)\n"
                "  const @w = {1} : f32[1]\n"
                "  %c = input : bool[]\n"
                "  %p = input : f32[N]\n"
                "  %q = input : f32[N]\n"
                "  %r = input : f32[N]\n"
                "  %y = If %c, %q, %p, %r, %c, @w {else_branch=(\n"
                "    graph else_branch(N)\n"
                "      %q = input : f32[N]\n"
                "      %p = input : f32[N]\n"
                "      %r = input : f32[N]\n"
                "      %r2 = Identity %r\n"
                "      %c = input : bool[]\n"
                "      %w = input : f32[1]\n"
                "      %e = If %c, %r, %w, %p {else_branch=(\n"
                "        graph else_branch(N)\n"
                "          %r = input : f32[N]\n"
                "          %w = input : f32[1]\n"
                "          %p = input : f32[N]\n"
                "          %n = Identity %p\n"
                "          return %n\n"
                "      ), then_branch=(\n"
                "        graph then_branch(N)\n"
                "          %r = input : f32[N]\n"
                "          %w = input : f32[1]\n"
                "          %i = Add %r, %w\n"
                "          %p = input : f32[N]\n"
                "          return %i\n"
                "      )}\n"
                "      %e2 = Add %e, %q\n"
                "      return %e2\n"
                "  ), then_branch=(\n"
                "    graph then_branch(N)\n"
                "      const @own = {2} : f32[1]\n"
                "      %q = input : f32[N]\n"
                "      %p = input : f32[N]\n"
                "      %t = Add %q, %p\n"
                "      %t2 = Add %t, @own\n"
                "      %r = input : f32[N]\n"
                "      %c = input : bool[]\n"
                "      %w = input : f32[1]\n"
                "      return %t2\n"
                "  )}\n"
                "  return %y\n");
    // Loop: two carried values and a scanned one; most iterations left out; the body gives a captured value.
    put_value(&g, 11, "p", 1, "N");
    put_value(&g, 11, "q", 1, "N");
    put_value(&g, 12, "s", 1, NULL);
    put_value(&then, 11, "i", 7, "");
    put_value(&then, 11, "go", 9, "");
    put_value(&then, 11, "u", 0, NULL);
    put_value(&then, 11, "v", 1, "N");
    put_node(&then, 1, "Add", "u,q", "u2", NULL);
    put_node(&then, 1, "Identity", "go", "go2", NULL);
    put_body(&a, "body", &then, "go2,u2,v,q");
    put_tensor(&g, 5, "yes", 9, "", "\1", 1);
    put_node(&g, 1, "Loop", ",yes,p,q", "u,v,s", &a);
    check_reads(make_model(&g, 8, 17, NULL), ".",
                "graph main(N)\n"
                "  const @yes = {1} : bool[]\n"
                "  const @iterations = {9223372036854775807} : i64[]\n"
                "  %p = input : f32[N]\n"
                "  %q = input : f32[N]\n"
                "  %u, %v, %s = Loop @iterations, @yes, %p, %q, %q {body=(\n"
                "    graph body(N)\n"
                "      %i = input : i64[]\n"
                "      %go = input : bool[]\n"
                "      %u = input : ?\n"
                "      %v = input : f32[N]\n"
                "      %q = input : f32[N]\n"
                "      %u2 = Add %u, %q\n"
                "      %go2 = Identity %go\n"
                "      return %go2, %u2, %v, %q\n"
                "  ), carried=2}\n"
                "  return %s\n");
    arena_done(&arena);
}
END_TEST

START_TEST(absent_inputs_and_outputs) {
    arena_init(&arena, 0);
    Buffer g = {0}, a = {0};
    static const int64_t split[] = {1, 2};
    put_value(&g, 11, "x", 1, "3");
    put_value(&g, 11, "hi", 1, "");
    put_value(&g, 12, "b", 1, NULL);
    put_node(&g, 1, "Clip", "x,,hi", "a", NULL);
    put_node(&g, 1, "Clip", "a,,", "a2", NULL);
    put_node(&g, 1, "Split", "a2", ",b", NULL);
    put_node(&g, 1, "Dropout", "b", "d,", NULL);
    put_attribute_ints(&a, "split", split, 2);
    put_attribute_text(&a, "empty", "");
    put_attribute_text(&a, "text", "x y");
    put_attribute_float(&a, "real", 2);
    put_node(&g, 1, "Identity", "d", "e", &a);
    check_reads(make_model(&g, 8, 18, NULL), ".",
                "graph main()\n"
                "  %x = input : f32[3]\n"
                "  %hi = input : f32[]\n"
                "  %a = Clip %x, _, %hi\n"
                "  %a2 = Clip %a\n"
                "  %unused, %b = Split %a2\n"
                "  %d = Dropout %b\n"
                "  %e = Identity %d {real=2, split=[1,2], text=\"x y\"}\n"
                "  return %b\n");
    arena_done(&arena);
}
END_TEST

TEST_MAIN("format/onnx", small_graph, initializers, external_data, inputs_and_claims, made_up_dimensions, constants,
          functions, bodies, absent_inputs_and_outputs)
