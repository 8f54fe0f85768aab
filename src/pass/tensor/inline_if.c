// SPDX-License-Identifier: Apache-2.0
// inline_if: an If whose condition is a constant becomes the nodes of the body that it would run.
#include "pass/rewrite.h"
#include "pass/tensor/match.h"

// What stands in the graph for the body's nodes and constants.
typedef struct Inlining {
    Graph *graph;
    const Graph *body;
    Value *inputs; // [nodes] of the body's inputs
    Node **nodes;  // [nodes] of its other nodes
    const Constant **constants;
} Inlining;

static Value value_moved(const Inlining *in, Value value) {
    if (value.constant)
        return value_constant(in->constants[value.constant->index]);
    if (!value.node)
        return value;
    Node *node = in->nodes[value.node->index];
    return node ? value_of(node, value.output) : in->inputs[value.node->index];
}

static Status constants_move(Inlining *in, Arena *scratch, Error *err) {
    TRY_NEW(in->constants = arena_array(scratch, in->body->constant_count, sizeof *in->constants, err));
    for (size_t c = 0; c < in->body->constant_count; c++) {
        Constant moved = *in->body->constants[c];
        const Constant **parts = arena_array(scratch, moved.part_count, sizeof *parts, err);
        TRY_NEW(parts);
        for (size_t p = 0; p < moved.part_count; p++)
            parts[p] = in->constants[moved.parts[p]->index];
        moved.parts = parts;
        TRY(graph_add_constant(in->graph, &moved, &in->constants[c], err));
    }
    return OK;
}

// Dimension variables go by their names.
static Status type_move(const Inlining *in, const ValueType *from, ValueType *to, Error *err) {
    *to = *from;
    for (int i = 0; i < to->rank; i++)
        if (to->dims[i].variable && to->dims[i].value != DIM_UNKNOWN)
            TRY(graph_add_dim(in->graph, in->body->dims[to->dims[i].value], &to->dims[i], err));
    return OK;
}

static Status node_move(Inlining *in, const Node *node, const Node *place, Arena *scratch, Error *err) {
    Value *values;
    ValueType *types;
    TRY_NEW(values = arena_array(scratch, node->input_count, sizeof *values, err));
    TRY_NEW(types = arena_array(scratch, node->output_count, sizeof *types, err));
    for (size_t i = 0; i < node->input_count; i++)
        values[i] = value_moved(in, node->inputs[i]);
    for (size_t o = 0; o < node->output_count; o++)
        TRY(type_move(in, &node->types[o], &types[o], err));
    NodeSpec spec = {.op = node->op,
                     .names = node->names,
                     .inputs = values,
                     .input_count = node->input_count,
                     .attributes = node->attributes,
                     .attribute_count = node->attribute_count,
                     .types = types,
                     .output_count = node->output_count,
                     .note = node->note};
    return graph_insert_before(in->graph, place, &spec, &in->nodes[node->index], err);
}

// The nodes of `body` before `node`; its results are theirs, under its names.
static Status body_inline(Graph *graph, const Node *node, const Graph *body, Arena *scratch, Error *err) {
    Inlining in = {.graph = graph, .body = body};
    size_t input = 1;
    TRY_NEW(in.inputs = arena_array(scratch, body->node_count, sizeof *in.inputs, err));
    TRY_NEW(in.nodes = arena_array(scratch, body->node_count, sizeof *in.nodes, err));
    TRY(constants_move(&in, scratch, err));
    for (size_t n = 0; n < body->node_count; n++) {
        if (body->nodes[n]->op == OP_INPUT)
            in.inputs[n] = rewrite_input(node, input++);
        else
            TRY(node_move(&in, body->nodes[n], node, scratch, err));
    }
    for (size_t o = 0; o < node->output_count; o++) {
        Value result = value_moved(&in, body->returns[o]);
        Node *inner = body->returns[o].node ? in.nodes[body->returns[o].node->index] : NULL;
        if (inner)
            inner->names[result.output] = node->names[o]; // the If is about to go
        graph_replace_value(graph, value_of(node, (int)o), result);
    }
    return OK;
}

// The body that will run; NULL: that is not known, or the node is not as it should be.
static const Graph *body_taken(const Node *node) {
    double condition;
    if (node->op != TENSOR_IF || !node->output_count || !match_number(node->inputs[0], &condition))
        return NULL;
    const Graph *body = node_graph(node, condition != 0 ? "then_branch" : "else_branch");
    size_t inputs = 0;
    for (size_t n = 0; body && n < body->node_count; n++)
        inputs += body->nodes[n]->op == OP_INPUT;
    return body && body->return_count == node->output_count && inputs + 1 == node->input_count ? body : NULL;
}

Status pass_inline_if(Graph *graph, const PassInputs *inputs, Error *err) {
    bool inlined = false;
    for (size_t n = 0; n < graph->node_count;) {
        const Graph *body = body_taken(graph->nodes[n]);
        if (!body) {
            n++;
            continue;
        }
        // The body may begin with an If too, so `n` stays; the If itself is read by nobody, and passed over once it
        // has no results.
        Node *node = graph->nodes[n];
        TRY(body_inline(graph, node, body, inputs->scratch, err));
        node->output_count = 0;
        inlined = true;
    }
    return inlined ? pass_dead_code(graph, inputs, err) : OK;
}
