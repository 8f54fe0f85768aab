// SPDX-License-Identifier: Apache-2.0
// Random graphs that keep every shape rule, for property tests of printing and of passes: a few nodes, much sharing, so
// that projections have siblings, sums have norms, and expressions repeat.
#pragma once

#include "base/random.h"
#include "check.h"
#include "graph/graph.h"

enum { RANDOM_GRAPH_WIDTH = 4, RANDOM_GRAPH_MOST = 64 };

typedef struct RandomGraph {
    Random random;
    Graph *graph;
    Value values[RANDOM_GRAPH_MOST]; // f32 [T, 4]
    size_t value_count;
    Value ids;
    const Constant *weights[3], *biases[3], *gain, *table;
} RandomGraph;

static ValueType random_graph_type(const RandomGraph *r, int64_t columns) {
    ValueType type = {.dtype = DTYPE_F32, .rank = 2};
    type.dims[0] = value_type(r->ids).dims[0];
    type.dims[1].value = columns;
    return type;
}

static const Constant *random_graph_constant(RandomGraph *r, const char *name, int64_t rows, int64_t columns) {
    Error err;
    Constant constant = {.name = name, .dtype = DTYPE_F32, .shape = {columns ? 2 : 1, {rows, columns}}};
    size_t count = (size_t)(rows * (columns ? columns : 1));
    if (random_below(&r->random, 4)) { // some have no values
        float *values = arena_array(r->graph->arena, count, sizeof *values, &err);
        ck_assert_ptr_nonnull(values);
        for (size_t i = 0; i < count; i++)
            values[i] = (float)random_unit(&r->random) - 0.5f;
        constant.data = values;
    }
    const Constant *added;
    CHECK_OK(graph_add_constant(r->graph, &constant, &added, &err));
    return added;
}

static Value random_graph_value(RandomGraph *r) {
    size_t recent = r->value_count > 4 ? 4 : r->value_count; // mostly recent ones: chains
    if (random_below(&r->random, 3))
        return r->values[r->value_count - 1 - random_below(&r->random, (uint32_t)recent)];
    return r->values[random_below(&r->random, (uint32_t)r->value_count)];
}

static void random_graph_node(RandomGraph *r) {
    static const char *const names[] = {"x", "h", "model.layers.0.out", "odd name", "\"\\\n\xC3\xA9//%@", "12",
                                        "-", "_"};
    static const char *const activations[] = {"none", "relu", "gelu"};
    Error err;
    Value x = random_graph_value(r), y = random_graph_value(r), z = random_graph_value(r);
    uint32_t w = random_below(&r->random, 3);
    Value in[4] = {x};
    ValueType types[2] = {random_graph_type(r, RANDOM_GRAPH_WIDTH), random_graph_type(r, RANDOM_GRAPH_WIDTH)};
    Attribute attributes[3];
    NodeSpec spec = {.name = names[random_below(&r->random, ARRAY_COUNT(names))],
                     .inputs = in,
                     .input_count = 1,
                     .attributes = attributes,
                     .types = types,
                     .output_count = 1,
                     .note = "note"};
    switch (random_below(&r->random, 12)) {
    case 0:
        spec.op = OP_EMBED;
        in[0] = r->ids;
        in[1] = value_constant(r->table);
        spec.input_count = 2;
        attributes[0] = attribute_real("scale", random_below(&r->random, 2) ? 2.0 : 0.1);
        spec.attribute_count = 1;
        break;
    case 1:
        spec.op = OP_ADD;
        in[1] = y;
        spec.input_count = 2;
        break;
    case 2:
        spec.op = OP_SCALE;
        attributes[0] = attribute_real("factor", random_below(&r->random, 2) ? 1.0 : -0.0);
        spec.attribute_count = 1;
        break;
    case 3:
        spec.op = OP_ACTIVATION;
        attributes[0] = attribute_text("kind", activations[w]);
        spec.attribute_count = 1;
        break;
    case 4:
        spec.op = OP_LAYER_NORM;
        in[1] = in[2] = value_constant(r->gain);
        spec.input_count = 3;
        attributes[0] = attribute_real("epsilon", 1e-5);
        spec.attribute_count = 1;
        break;
    case 5:
        spec.op = OP_ADD_NORM;
        in[1] = y;
        in[2] = value_constant(r->gain);
        spec.input_count = 4;
        attributes[0] = attribute_real("epsilon", 1e-12);
        spec.attribute_count = 1;
        spec.output_count = 1 + random_below(&r->random, 2);
        break;
    case 6:
        spec.op = OP_ATTENTION;
        in[1] = y;
        in[2] = z;
        spec.input_count = 3;
        attributes[0] = attribute_real("scale", 1 / 3.0);
        attributes[1] = attribute_int("heads", 2);
        spec.attribute_count = 2;
        break;
    case 7:
        spec.op = OP_CROSS_STORE;
        in[1] = y;
        spec.input_count = 2;
        attributes[0] = attribute_int("heads", 2);
        attributes[1] = attribute_int("layer", random_below(&r->random, 3));
        spec.attribute_count = 2;
        spec.output_count = 0;
        break;
    default:
        spec.op = OP_LINEAR;
        in[1] = value_constant(r->weights[w]);
        if (random_below(&r->random, 2))
            in[2] = value_constant(r->biases[w]);
        if (random_below(&r->random, 6) == 0)
            in[3] = y;
        spec.input_count = 4;
        attributes[0] = attribute_text("activation", "gelu");
        spec.attribute_count = random_below(&r->random, 6) == 0;
    }
    Node *node;
    CHECK_OK(graph_add_node(r->graph, &spec, &node, &err));
    for (size_t i = 0; i < node->output_count && r->value_count < RANDOM_GRAPH_MOST; i++)
        r->values[r->value_count++] = value_of(node, (int)i);
}

static Graph *random_graph(Arena *arena, uint64_t seed) {
    static const char *const weight_names[] = {"layers.0.q.weight", "layers.0.k.weight", "fc1 \"weight\""};
    Error err;
    RandomGraph r = {.random = {seed}};
    r.graph = graph_make(arena, seed % 3 ? "encode" : "odd name", &err);
    ck_assert_ptr_nonnull(r.graph);
    Dim rows;
    CHECK_OK(graph_add_dim(r.graph, "T", &rows, &err));
    ValueType ids = {.dtype = DTYPE_I32, .rank = 1, .dims = {rows}};
    Node *node;
    CHECK_OK(graph_add_node(r.graph, &(NodeSpec){.op = OP_INPUT, .name = "ids", .types = &ids, .output_count = 1},
                            &node, &err));
    r.ids = value_of(node, 0);
    ValueType x = random_graph_type(&r, RANDOM_GRAPH_WIDTH);
    CHECK_OK(graph_add_node(r.graph, &(NodeSpec){.op = OP_INPUT, .types = &x, .output_count = 1}, &node, &err));
    r.values[r.value_count++] = value_of(node, 0);
    for (size_t i = 0; i < 3; i++) {
        r.weights[i] = random_graph_constant(&r, weight_names[i], RANDOM_GRAPH_WIDTH, RANDOM_GRAPH_WIDTH);
        r.biases[i] = random_graph_constant(&r, "bias", RANDOM_GRAPH_WIDTH, 0);
    }
    r.gain = random_graph_constant(&r, "gain", RANDOM_GRAPH_WIDTH, 0);
    r.table = random_graph_constant(&r, "table", 9, RANDOM_GRAPH_WIDTH);
    for (uint32_t nodes = random_below(&r.random, 30); nodes; nodes--)
        random_graph_node(&r);
    Value returns[2] = {random_graph_value(&r), random_graph_value(&r)};
    CHECK_OK(graph_set_returns(r.graph, returns, random_below(&r.random, 3), &err));
    return r.graph;
}
