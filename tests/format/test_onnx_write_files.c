// SPDX-License-Identifier: Apache-2.0
// Models and their external data on the way to their places: whatever fails, and whatever else lies there, every model
// keeps its own data.
#include "base/fault.h"
#include "format/onnx_written.h"

// A graph of two tensors that are large enough to lie outside, one of which two constants share.
static Graph *large_graph(int from) {
    Graph *graph = parsed("graph large()\n  %x = input : f32[2000]\n  return %x\n");
    float *values = arena_alloc(&arena, 2 * 2000 * sizeof *values, 64, &err);
    for (int i = 0; i < 4000; i++)
        values[i] = (float)(from + i);
    Value sum = value_of(graph->nodes[0], 0);
    for (int i = 0; i < 3; i++) {
        Constant constant = {
            .name = "w", .dtype = DTYPE_F32, .shape = {1, {2000}}, .data = values + (i == 1 ? 2000 : 0)};
        const Constant *added;
        CHECK_OK(graph_add_constant(graph, &constant, &added, &err));
        Value inputs[] = {sum, value_constant(added)};
        ValueType type = value_type(sum);
        Node *node;
        NodeSpec spec = {
            .op = TENSOR_ADD, .name = "y", .inputs = inputs, .input_count = 2, .types = &type, .output_count = 1};
        CHECK_OK(graph_add_node(graph, &spec, &node, &err));
        sum = value_of(node, 0);
    }
    CHECK_OK(graph_set_returns(graph, &sum, 1, &err));
    return graph;
}

START_TEST(large_tensors_lie_outside) {
    setup();
    Graph *graph = large_graph(0);
    OnnxModel model;
    OnnxWritten written;
    OnnxWriteSettings settings = {.external_bytes = 20000, .written = &written};
    CHECK_OK(onnx_write(path, graph, NULL, &settings, &err));
    CHECK_OK(onnx_read(&arena, path, &model, &err));
    ck_assert_str_eq(printed(model.graph), printed(graph));
    Bytes data, file, again;
    CHECK_OK(file_map(&arena, data_path, &data, &err));
    CHECK_OK(file_map(&arena, path, &file, &err));
    ck_assert_uint_eq(data.size, 16000); // the third shares the first's place
    ck_assert_uint_eq(written.external_bytes, data.size);
    ck_assert_uint_eq(written.bytes, file.size);
    for (size_t c = 0; c < 3; c++)
        ck_assert_mem_eq(model.graph->constants[c]->data, graph->constants[c]->data, 8000);
    CHECK_OK(onnx_write(path, graph, NULL, &settings, &err)); // the same bytes, whatever is there
    CHECK_OK(file_map(&arena, path, &again, &err));
    ck_assert(file.size == again.size && memcmp(file.data, again.data, file.size) == 0);
    unlink(data_path);
    settings.external_bytes = 1 << 20;
    CHECK_OK(onnx_write(path, graph, NULL, &settings, &err));
    ck_assert_int_eq(path_kind(data_path), PATH_NONE);
    CHECK_OK(onnx_read(&arena, path, &model, &err));
    ck_assert_mem_eq(model.graph->constants[1]->data, graph->constants[1]->data, 8000);
    CHECK_FAILS(onnx_write("/dev/null", graph, NULL, &(OnnxWriteSettings){.external_bytes = 1}, &err), ERR_USAGE,
                "no file that external data could lie beside");
    teardown();
}
END_TEST

START_TEST(faults_leave_nothing) {
    setup();
    Graph *graph = large_graph(0);
    OnnxWriteSettings settings = {.external_bytes = 1};
    for (int kind = 0; kind < 2; kind++) {
        FaultKind fault = kind ? FAULT_WRITE : FAULT_ALLOCATION;
        for (uint64_t nth = 1;; nth++) {
            fault_arm(fault, nth);
            Status status = onnx_write(path, graph, NULL, &settings, &err);
            bool struck = fault_seen(fault) >= nth;
            fault_arm(fault, 0);
            ck_assert_int_eq(status == OK, !struck);
            ck_assert_int_eq(path_kind(path), struck ? PATH_NONE : PATH_FILE);
            ck_assert_int_eq(path_kind(data_path), struck ? PATH_NONE : PATH_FILE);
            if (!struck)
                break;
        }
        unlink(path);
        unlink(data_path);
    }
    teardown();
}
END_TEST

// What lies in the folder, names with spaces between.
static const char *names_there(void) {
    char **names;
    size_t count;
    const char *text = "";
    CHECK_OK(folder_list(&arena, folder, &names, &count, &err));
    for (size_t i = 0; i < count; i++)
        text = arena_format(&arena, &err, "%s%s%s", text, i ? " " : "", names[i]);
    return text;
}

// Reads a model written of large_graph(from); gives `from` back.
static int from_of(const char *model_path) {
    OnnxModel model;
    CHECK_OK(onnx_read(&arena, model_path, &model, &err));
    const float *values = model.graph->constants[0]->data;
    for (int i = 0; i < 2000; i++)
        ck_assert_float_eq(values[i], values[0] + (float)i);
    ck_assert_float_eq(((const float *)model.graph->constants[1]->data)[0], values[0] + 2000);
    return (int)values[0];
}

// Every fault of a kind, one after another, while `write` runs; `check` looks at what is there after each.
static void each_fault(FaultKind fault, Status (*write)(void), void (*check)(bool struck)) {
    for (uint64_t nth = 1;; nth++) {
        fault_arm(fault, nth);
        Status status = write();
        bool struck = fault_seen(fault) >= nth;
        fault_arm(fault, 0);
        ck_assert_int_eq(status == OK, !struck);
        check(struck);
        if (!struck)
            break;
    }
}

static Graph *after;

static Status pair_write(void) {
    return onnx_write(path, after, NULL, &(OnnxWriteSettings){.external = ONNX_EXTERNAL_ALWAYS}, &err);
}

static void pair_check(bool struck) {
    ck_assert_int_eq(from_of(path), struck ? 1 : 7);
    ck_assert_str_eq(names_there(), struck ? "m.onnx m.onnx_data" : "m.onnx m.onnx_data_1");
}

START_TEST(what_is_replaced_keeps_its_data) {
    setup();
    for (int kind = 0; kind < 3; kind++) {
        after = large_graph(1);
        CHECK_OK(pair_write()); // from the second time on, back to the first name
        ck_assert_str_eq(names_there(), "m.onnx m.onnx_data");
        CHECK_OK(pair_write()); // the data is there already
        ck_assert_str_eq(names_there(), "m.onnx m.onnx_data");
        after = large_graph(7);
        each_fault(kind == 0 ? FAULT_WRITE : kind == 1 ? FAULT_ALLOCATION : FAULT_READ, pair_write, pair_check);
    }
    after = large_graph(1);
    for (const char *const *name = (const char *const[]){"m.onnx_data", "m.onnx_data_2", NULL}; *name; name++)
        CHECK_OK(file_replace(path_join(&arena, folder, *name, &err), "x", 1, &err)); // of somebody who was killed
    CHECK_OK(pair_write());
    ck_assert_int_eq(from_of(path), 1);
    ck_assert_str_eq(names_there(), "m.onnx m.onnx_data m.onnx_data_2 m.onnx_data_3"); // not m.onnx's, they stay
    unlink(arena_format(&arena, &err, "%s_2", data_path));
    unlink(arena_format(&arena, &err, "%s_3", data_path));
    teardown();
}
END_TEST

static const char *second_path;
static OnnxPart two[2];

static Status parts_write(void) {
    return onnx_write_parts(two, 2, data_path, &(OnnxWriteSettings){0}, &err);
}

// Whatever failed, each model has the data that it was written with.
static void parts_check(bool struck) {
    int first = from_of(path), second = from_of(second_path);
    ck_assert(first == 1 || first == 7);
    ck_assert(second == first || (struck && first == 7 && second == 1)); // parts are put in order
    ck_assert(struck || second == 7);
    if (first == second)
        ck_assert_str_eq(names_there(), first == 1 ? "m.onnx m.onnx_data n.onnx" : "m.onnx m.onnx_data_1 n.onnx");
}

static void two_of(int from) {
    two[0] = (OnnxPart){.path = path, .graph = large_graph(from)};
    two[1] = (OnnxPart){.path = second_path, .graph = large_graph(from)}; // equal values in other memory
}

START_TEST(parts_share_their_data) {
    setup();
    second_path = path_join(&arena, folder, "n.onnx", &err);
    Bytes data;
    two_of(1);
    CHECK_OK(parts_write());
    CHECK_OK(file_map(&arena, data_path, &data, &err));
    ck_assert_uint_eq(data.size, 16000);
    ck_assert_uint_eq(two[0].written.external_bytes, 16000);
    OnnxWriteSettings within = {.external = ONNX_EXTERNAL_NEVER};
    for (int kind = 0; kind < 2; kind++) {
        two_of(7);
        each_fault(kind ? FAULT_ALLOCATION : FAULT_WRITE, parts_write, parts_check);
        two_of(1);
        CHECK_OK(parts_write());
        ck_assert_str_eq(names_there(), "m.onnx m.onnx_data n.onnx");
    }
    CHECK_OK(onnx_write_parts(two, 2, data_path, &within, &err));
    ck_assert_uint_eq(two[1].written.external_bytes, 0);
    unlink(data_path);
    ck_assert_int_eq(from_of(second_path), 1);
    unlink(second_path);
    teardown();
}
END_TEST

static void names_are(const char *names) {
    ck_assert_str_eq(names_there(), names);
}

START_TEST(data_of_other_models_stays) {
    setup();
    second_path = path_join(&arena, folder, "n.onnx", &err);
    const char *third = path_join(&arena, folder, "k.onnx", &err);
    two_of(1);
    CHECK_OK(parts_write());
    after = large_graph(7);
    CHECK_OK(pair_write()); // n.onnx reads what m.onnx did
    names_are("m.onnx m.onnx_data m.onnx_data_1 n.onnx");
    ck_assert(from_of(path) == 7 && from_of(second_path) == 1);
    after = large_graph(8);
    CHECK_OK(pair_write()); // m.onnx_data_1 was m.onnx's alone
    names_are("m.onnx m.onnx_data m.onnx_data_2 n.onnx");
    unlink(path);
    after = large_graph(9);
    CHECK_OK(pair_write()); // nothing is replaced: nothing was anybody's
    names_are("m.onnx m.onnx_data m.onnx_data_1 m.onnx_data_2 n.onnx");
    OnnxPart one = {.path = third, .graph = large_graph(3)};
    CHECK_OK(onnx_write_parts(&one, 1, data_path, &(OnnxWriteSettings){.external = ONNX_EXTERNAL_ALWAYS}, &err));
    names_are("k.onnx m.onnx m.onnx_data m.onnx_data_1 m.onnx_data_2 m.onnx_data_3 n.onnx");
    ck_assert(from_of(path) == 9 && from_of(second_path) == 1 && from_of(third) == 3);
    CHECK_OK(parts_write()); // both again: m.onnx_data is theirs already
    names_are("k.onnx m.onnx m.onnx_data m.onnx_data_2 m.onnx_data_3 n.onnx");
    two_of(5);
    CHECK_OK(parts_write()); // k.onnx reads m.onnx_data_3, which is another name
    names_are("k.onnx m.onnx m.onnx_data_1 m.onnx_data_2 m.onnx_data_3 n.onnx");
    unlink(third);
    unlink(second_path);
    for (int i = 1; i <= 3; i++)
        unlink(arena_format(&arena, &err, "%s_%d", data_path, i));
    teardown();
}
END_TEST

// Models that cannot be looked into may read anything.
START_TEST(data_stays_in_doubt) {
    setup();
    const char *other = path_join(&arena, folder, "n.onnx", &err);
    after = large_graph(1);
    CHECK_OK(pair_write());
    CHECK_OK(file_replace(other, "x", 1, &err));
    ck_assert_int_eq(truncate(other, ((off_t)1 << 30) + 1), 0);
    after = large_graph(7);
    CHECK_OK(pair_write());
    names_are("m.onnx m.onnx_data m.onnx_data_1 n.onnx");
    unlink(other);
    after = large_graph(8);
    CHECK_OK(pair_write());
    names_are("m.onnx m.onnx_data m.onnx_data_2");
    unlink(arena_format(&arena, &err, "%s_2", data_path));
    teardown();
}
END_TEST

TEST_MAIN("onnx_write_files", large_tensors_lie_outside, faults_leave_nothing, what_is_replaced_keeps_its_data,
          parts_share_their_data, data_of_other_models_stays, data_stays_in_doubt)
