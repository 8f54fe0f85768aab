// SPDX-License-Identifier: Apache-2.0
// fuse_residual_norm: add followed by layer_norm becomes add_norm, with the sum as second output where others read it
// (pre-norm models). An add that no norm follows goes into a linear that it alone reads, as its residual.
#include "pass/rewrite.h"

// `add` becomes add_norm in the place of both; its first output bears the norm's name.
static Status fuse_norm(Graph *graph, Node *add, const Node *norm, bool sum_is_read, Error *err) {
    Value inputs[4] = {add->inputs[0], add->inputs[1], norm->inputs[1], norm->inputs[2]};
    const char *names[2] = {norm->names[0], add->names[0]};
    ValueType types[2] = {norm->types[0], add->types[0]};
    NodeSpec spec = {.op = OP_ADD_NORM,
                     .names = names,
                     .inputs = inputs,
                     .input_count = 4,
                     .attributes = norm->attributes,
                     .attribute_count = norm->attribute_count,
                     .types = types,
                     .output_count = sum_is_read ? 2 : 1,
                     .note = norm->note};
    TRY(graph_change_node(graph, add, &spec, err));
    if (sum_is_read)
        graph_replace_value(graph, value_of(add, 0), value_of(add, 1));
    graph_replace_value(graph, value_of(norm, 0), value_of(add, 0));
    return OK;
}

static Status fuse_norms(Graph *graph, const size_t *uses, Arena *scratch, Error *err) {
    bool *keep;
    TRY(rewrite_marks(graph, scratch, &keep, err));
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *norm = graph->nodes[n];
        if (norm->op != OP_LAYER_NORM || !norm->inputs[0].node || norm->inputs[0].node->op != OP_ADD)
            continue;
        if (norm->inputs[1].node || norm->inputs[2].node) // might come after the add
            continue;
        Node *add = graph->nodes[norm->inputs[0].node->index];
        TRY(fuse_norm(graph, add, norm, uses[add->index] > 1, err));
        keep[n] = false;
    }
    graph_keep(graph, keep, NULL);
    return OK;
}

// The input of `add` that is a linear nobody else reads, free to take a residual; -1: none.
static int linear_input(const Node *add, const size_t *uses) {
    for (int i = 0; i < 2; i++) {
        const Node *linear = add->inputs[i].node;
        if (rewrite_is_linear(linear) && uses[linear->index] == 1 && !rewrite_has_residual(linear) &&
            add->inputs[1 - i].node)
            return i;
    }
    return -1;
}

static Status fuse_linears(Graph *graph, const size_t *uses, Arena *scratch, Error *err) {
    bool *keep;
    TRY(rewrite_marks(graph, scratch, &keep, err));
    for (size_t n = 0; n < graph->node_count; n++) {
        Node *add = graph->nodes[n];
        int at = add->op == OP_ADD ? linear_input(add, uses) : -1;
        if (at < 0)
            continue;
        const Node *linear = add->inputs[at].node;
        Value inputs[5] = {linear->inputs[0], linear->inputs[1], rewrite_input(linear, 2), add->inputs[1 - at],
                           rewrite_input(linear, 4)};
        NodeSpec spec = {.op = OP_LINEAR,
                         .inputs = inputs,
                         .input_count = 5,
                         .attributes = linear->attributes,
                         .attribute_count = linear->attribute_count,
                         .note = linear->note};
        TRY(graph_change_node(graph, add, &spec, err));
        keep[linear->index] = false;
    }
    graph_keep(graph, keep, NULL);
    return OK;
}

Status pass_fuse_residual_norm(Graph *graph, const PassInputs *inputs, Error *err) {
    size_t *uses = arena_array(inputs->scratch, graph->node_count, sizeof *uses, err);
    TRY_NEW(uses);
    graph_count_uses(graph, uses);
    TRY(fuse_norms(graph, uses, inputs->scratch, err));
    graph_count_uses(graph, uses);
    return fuse_linears(graph, uses, inputs->scratch, err);
}
