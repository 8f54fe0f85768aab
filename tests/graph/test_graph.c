// SPDX-License-Identifier: Apache-2.0
// Building, editing, looking at and verifying graphs; constants in parts.
#include "graph/graph.h"

#include <math.h>

#include "check.h"

static Arena arena;
static Error err;

// input x : f32[T,2]; h = scale x; y = add h, h; return y
static Graph *small_graph(Node *ret_nodes[3]) {
    arena_init(&arena, 0);
    Graph *graph = graph_make(&arena, "small", &err);
    ck_assert_ptr_nonnull(graph);
    Dim rows;
    CHECK_OK(graph_add_dim(graph, "T", &rows, &err));
    ValueType type = {DTYPE_F32, 2, {rows, {false, 2}}};
    CHECK_OK(graph_add_node(graph, &(NodeSpec){.op = OP_INPUT, .name = "x", .types = &type, .output_count = 1},
                            &ret_nodes[0], &err));
    Attribute factor = attribute_real("factor", 2);
    Value x = value_of(ret_nodes[0], 0);
    NodeSpec scale = {.op = OP_SCALE,
                      .name = "h",
                      .inputs = &x,
                      .input_count = 1,
                      .attributes = &factor,
                      .attribute_count = 1,
                      .types = &type,
                      .output_count = 1};
    CHECK_OK(graph_add_node(graph, &scale, &ret_nodes[1], &err));
    Value h[2] = {value_of(ret_nodes[1], 0), value_of(ret_nodes[1], 0)};
    NodeSpec add = {.op = OP_ADD, .inputs = h, .input_count = 2, .types = &type, .output_count = 1};
    CHECK_OK(graph_add_node(graph, &add, &ret_nodes[2], &err));
    Value y = value_of(ret_nodes[2], 0);
    CHECK_OK(graph_set_returns(graph, &y, 1, &err));
    CHECK_OK(graph_verify(graph, &err));
    return graph;
}

START_TEST(test_build_and_look) {
    Node *nodes[3];
    Graph *graph = small_graph(nodes);
    ck_assert_str_eq(nodes[2]->names[0], "add"); // no wish: the operator's name
    ck_assert_uint_eq(graph_uses(graph, nodes[1], 0), 2);
    ck_assert_uint_eq(graph_uses(graph, nodes[2], 0), 1);
    size_t uses[3];
    graph_count_uses(graph, uses);
    ck_assert(uses[0] == 1 && uses[1] == 2 && uses[2] == 1);
    ck_assert(node_real(nodes[1], "factor", 0) == 2 && node_real(nodes[1], "other", 7) == 7);
    ck_assert_int_eq(node_int(nodes[1], "factor", 9), 9); // a real is no integer
    Value found;
    ck_assert(graph_find_value(graph, "h", &found) && value_equal(found, value_of(nodes[1], 0)));
    ck_assert(!graph_find_value(graph, "nothing", &found));
    Dim again;
    CHECK_OK(graph_add_dim(graph, "T", &again, &err));
    ck_assert(again.variable && again.value == 0 && graph->dim_count == 1);
    for (int i = 0; i < 2000; i++) { // each is found again, also after the list has grown
        Dim dim;
        CHECK_OK(graph_add_dim(graph, arena_format(&arena, &err, "d%d", i / 2), &dim, &err));
        ck_assert_int_eq(dim.value, 1 + i / 2);
    }
    ck_assert(graph->dim_count == 1001 && strcmp(graph->dims[1000], "d999") == 0);
    CHECK_FAILS(graph_add_dim(graph, "1T", &again, &err), ERR_FORMAT, "'1T' cannot name a dimension of graph 'small'");
    arena_done(&arena);
}
END_TEST

START_TEST(test_names_are_unique) {
    Node *nodes[3], *split;
    Graph *graph = small_graph(nodes);
    Value x = value_of(nodes[0], 0);
    const char *names[] = {"x", "x", "part"};
    NodeSpec spec = {.op = OP_SPLIT, .names = names, .inputs = &x, .input_count = 1, .output_count = 3};
    CHECK_OK(graph_add_node(graph, &spec, &split, &err));
    ck_assert_str_eq(split->names[0], "x.1");
    ck_assert_str_eq(split->names[1], "x.2");
    ck_assert_str_eq(split->names[2], "part");
    ck_assert_int_eq(split->types[2].rank, -1); // not known yet
    names[0] = "\xff";
    CHECK_FAILS(graph_add_node(graph, &spec, NULL, &err), ERR_FORMAT, "cannot be a name in a graph");
    ck_assert_uint_eq(graph->node_count, 4);
    arena_done(&arena);
}
END_TEST

START_TEST(test_edit) {
    Node *nodes[3], *fresh;
    Graph *graph = small_graph(nodes);
    Value x = value_of(nodes[0], 0);
    NodeSpec spec = {
        .op = OP_ACTIVATION, .name = "h", .inputs = &x, .input_count = 1, .types = nodes[0]->types, .output_count = 1};
    CHECK_OK(graph_insert_before(graph, nodes[1], &spec, &fresh, &err));
    ck_assert_str_eq(fresh->names[0], "h.1");
    ck_assert_uint_eq(fresh->index, 1);
    ck_assert_uint_eq(nodes[2]->index, 3);
    graph_replace_value(graph, value_of(nodes[1], 0), value_of(fresh, 0));
    ck_assert(nodes[2]->inputs[0].node == fresh && nodes[2]->inputs[1].node == fresh);
    bool keep[4] = {true, true, false, true};
    graph_keep(graph, keep, NULL);
    CHECK_OK(graph_verify(graph, &err));
    ck_assert_uint_eq(graph->node_count, 3);
    // The removed node's name is free again, and a change may take names and outputs.
    const char *names[2] = {"h", "sum"};
    Value in[4] = {x, x};
    ValueType types[2] = {nodes[0]->types[0], nodes[0]->types[0]};
    NodeSpec norm = {
        .op = OP_ADD_NORM, .names = names, .inputs = in, .input_count = 4, .types = types, .output_count = 2};
    CHECK_OK(graph_change_node(graph, fresh, &norm, &err));
    CHECK_OK(graph_verify(graph, &err));
    Value found;
    ck_assert(graph_find_value(graph, "sum", &found) && found.node == fresh && found.output == 1);
    arena_done(&arena);
}
END_TEST

START_TEST(test_copy) {
    Node *nodes[3];
    Graph *graph = small_graph(nodes);
    Arena other;
    arena_init(&other, 0);
    Graph *copy = graph_copy(&other, graph, &err);
    ck_assert_ptr_nonnull(copy);
    arena_done(&arena); // the copy stands alone
    CHECK_OK(graph_verify(copy, &err));
    ck_assert_str_eq(copy->nodes[1]->names[0], "h");
    ck_assert(copy->returns[0].node == copy->nodes[2]);
    ck_assert(node_real(copy->nodes[1], "factor", 0) == 2);
    arena_done(&other);
}
END_TEST

START_TEST(test_attributes) {
    Attribute one = attribute_int("n", 1), real = attribute_real("n", 1.0), other = attribute_int("m", 1);
    int64_t list[] = {1, 2};
    Attribute ints = attribute_ints("n", list, 2), fewer = attribute_ints("n", list, 1);
    ck_assert(attribute_equal(&one, &real) && !attribute_equal(&one, &other));
    ck_assert(attribute_equal(&ints, &ints) && !attribute_equal(&ints, &fewer) && !attribute_equal(&ints, &one));
    Attribute zero = attribute_real("n", 0.0), minus = attribute_real("n", -0.0);
    ck_assert(!attribute_equal(&zero, &minus));
    Node *nodes[3];
    Graph *graph = small_graph(nodes);
    Attribute nan = attribute_real("factor", NAN);
    Value x = value_of(nodes[0], 0);
    NodeSpec spec = {.op = OP_SCALE,
                     .inputs = &x,
                     .input_count = 1,
                     .attributes = &nan,
                     .attribute_count = 1,
                     .types = nodes[0]->types,
                     .output_count = 1};
    CHECK_FAILS(graph_add_node(graph, &spec, NULL, &err), ERR_FORMAT, "attribute 'factor' is nan");
    arena_done(&arena);
}
END_TEST

START_TEST(test_constant_parts) {
    arena_init(&arena, 0);
    Graph *graph = graph_make(&arena, "parts", &err);
    int8_t a[] = {1, 2, 3, 4}, b[] = {5, 6}, scratch[4];
    float a_scales[] = {0.5f, 0.25f}, b_scales[] = {2}, scales[3];
    Constant spec = {
        .name = "a", .scheme = SCHEME_INT8_ROW, .dtype = DTYPE_I8, .shape = {2, {2, 2}}, .data = a, .scales = a_scales};
    const Constant *parts[2], *all;
    CHECK_OK(graph_add_constant(graph, &spec, &parts[0], &err));
    spec.data = b;
    spec.scales = b_scales;
    spec.shape.dims[0] = 1;
    CHECK_OK(graph_add_constant(graph, &spec, &parts[1], &err));
    ck_assert_str_eq(parts[1]->name, "a.1");
    Constant rows = {.name = "all",
                     .scheme = SCHEME_INT8_ROW,
                     .dtype = DTYPE_I8,
                     .shape = {2, {3, 2}},
                     .parts = parts,
                     .part_count = 2};
    CHECK_OK(graph_add_constant(graph, &rows, &all, &err));
    CHECK_OK(graph_verify(graph, &err));
    ck_assert(constant_has_data(all) && constant_row_bytes(all) == 2);
    ck_assert_ptr_eq(constant_rows(all, 0, 2, scratch), a); // not copied
    ck_assert_ptr_eq(constant_rows(all, 2, 1, scratch), b);
    ck_assert_ptr_eq(constant_rows(all, 1, 2, scratch), scratch); // over the seam
    ck_assert(scratch[0] == 3 && scratch[1] == 4 && scratch[2] == 5 && scratch[3] == 6);
    constant_scales(all, 0, 3, scales);
    ck_assert(scales[0] == 0.5f && scales[1] == 0.25f && scales[2] == 2);
    constant_scales(all, 1, 2, scales);
    ck_assert(scales[0] == 0.25f && scales[1] == 2);
    rows.shape.dims[0] = 4;
    CHECK_OK(graph_add_constant(graph, &rows, &all, &err));
    CHECK_FAILS(graph_verify(graph, &err), ERR_INTERNAL, "constant '@all.1' has 4 rows, its parts have 3");
    arena_done(&arena);
}
END_TEST

// Rows of what lies column by column come out in order, alone and beside others.
START_TEST(test_turned_rows) {
    arena_init(&arena, 0);
    static const float a[] = {1, 4, 2, 5, 3, 6}, b[] = {7, 8, 9}; // [2,3] turned, [1,3]
    Graph *graph = graph_make(&arena, "g", &err);
    Constant spec = {.name = "a", .dtype = DTYPE_F32, .shape = {2, {2, 3}}, .data = a, .turned = true};
    const Constant *parts[2], *all;
    float scratch[9];
    CHECK_OK(graph_add_constant(graph, &spec, &parts[0], &err));
    spec = (Constant){.name = "b", .dtype = DTYPE_F32, .shape = {2, {1, 3}}, .data = b};
    CHECK_OK(graph_add_constant(graph, &spec, &parts[1], &err));
    spec = (Constant){.name = "all", .dtype = DTYPE_F32, .shape = {2, {3, 3}}, .parts = parts, .part_count = 2};
    CHECK_OK(graph_add_constant(graph, &spec, &all, &err));
    CHECK_OK(graph_verify(graph, &err));
    ck_assert(!constant_is_plain(parts[0]) && constant_is_plain(parts[1]));
    ck_assert_ptr_eq(constant_rows(parts[0], 1, 1, scratch), scratch);
    ck_assert(scratch[0] == 4 && scratch[1] == 5 && scratch[2] == 6);
    const float *rows = constant_rows(all, 0, 3, scratch);
    for (int i = 0; i < 9; i++)
        ck_assert(rows[i] == (float)(i + 1));
    spec = (Constant){.name = "v", .dtype = DTYPE_F32, .shape = {1, {3}}, .data = b, .turned = true};
    CHECK_OK(graph_add_constant(graph, &spec, &all, &err));
    CHECK_FAILS(graph_verify(graph, &err), ERR_INTERNAL, "constant '@v' is turned, but no matrix");
    arena_done(&arena);
}
END_TEST

START_TEST(test_verify_sees_faults) {
    Node *nodes[3];
    Graph *graph = small_graph(nodes);
    nodes[1]->inputs[0] = value_of(nodes[2], 0);
    CHECK_FAILS(graph_verify(graph, &err), ERR_INTERNAL, "node 1 (h): input 0 of scale comes later");
    nodes[1]->inputs[0] = value_of(nodes[0], 1);
    CHECK_FAILS(graph_verify(graph, &err), ERR_INTERNAL, "is an output that its node does not have");
    nodes[1]->inputs[0] = (Value){0};
    CHECK_FAILS(graph_verify(graph, &err), ERR_INTERNAL, "scale has no first input");
    nodes[1]->inputs[0] = value_of(nodes[0], 0);
    nodes[1]->input_count = 0;
    CHECK_FAILS(graph_verify(graph, &err), ERR_INTERNAL, "scale has 0 inputs, expected 1 to 1");
    nodes[1]->input_count = 1;
    nodes[1]->names[0] = "x";
    CHECK_FAILS(graph_verify(graph, &err), ERR_INTERNAL, "the name '%x' is empty or there twice");
    nodes[1]->names[0] = "h";
    nodes[1]->types[0].dims[0].value = 3;
    CHECK_FAILS(graph_verify(graph, &err), ERR_INTERNAL, "dimension 0 is variable 3");
    nodes[1]->types[0].dims[0].value = 0;
    Node foreign = *nodes[0];
    nodes[1]->inputs[0] = value_of(&foreign, 0);
    CHECK_FAILS(graph_verify(graph, &err), ERR_INTERNAL, "is no value of this graph");
    nodes[1]->inputs[0] = value_of(nodes[0], 0);
    graph->returns[0] = (Value){0};
    CHECK_FAILS(graph_verify(graph, &err), ERR_INTERNAL, "return 0 is absent");
    arena_done(&arena);
}
END_TEST

TEST_MAIN("graph", test_build_and_look, test_names_are_unique, test_edit, test_copy, test_attributes,
          test_constant_parts, test_turned_rows, test_verify_sees_faults)
