// SPDX-License-Identifier: Apache-2.0
// fuse_layer_norm: (x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon) * gain over the last axis becomes
// LayerNormalization; so does x * factor + (bias - mean(x) * factor), factor = gain / sqrt(...). A constant vector
// added to one without bias becomes its bias.
#include "pass/rewrite.h"
#include "pass/tensor/norms.h"

// x of x - mean(x)
static bool centered_match(Value value, MatchNodes *nodes, Value *ret_x) {
    const Node *sub = match_node(value, TENSOR_SUB), *add = match_node(value, TENSOR_ADD), *neg;
    Value mean, of;
    if (sub) {
        *ret_x = sub->inputs[0];
        mean = sub->inputs[1];
    } else if (match_operands(add, TENSOR_NEG, &neg, ret_x)) {
        match_nodes_add(nodes, neg);
        mean = neg->inputs[0];
    } else {
        return false;
    }
    if (!match_mean(mean, &of) || !value_equal(of, *ret_x))
        return false;
    match_nodes_add(nodes, value.node);
    match_nodes_add(nodes, mean.node);
    return true;
}

static Status norm_make(Graph *graph, Node *node, Value x, Value gain, Value bias, double epsilon, Error *err) {
    Value values[] = {x, gain, bias};
    Attribute attributes[] = {attribute_int("axis", -1), attribute_real("epsilon", epsilon)};
    NodeSpec spec = {.op = TENSOR_LAYER_NORMALIZATION,
                     .inputs = values,
                     .input_count = 3,
                     .attributes = attributes,
                     .attribute_count = 2,
                     .note = node->note};
    return graph_change_node(graph, node, &spec, err);
}

static Status norm_fuse(Graph *graph, Node *node, const size_t *uses, Error *err) {
    RootMeanSquare match;
    Value x;
    if (!node->output_count || !norms_match(value_of(node, 0), (Value){0}, &match) ||
        !centered_match(match.z, &match.nodes, &x) || !match_nodes_are_private(&match.nodes, uses))
        return OK;
    return norm_make(graph, node, x, match.gain, (Value){0}, match.epsilon, err);
}

// x * factor, the one, and bias - mean(x) * factor, the other part of a sum: what does `scaled` normalize, and with
// which bias?
static bool shifted_match(Value scaled, Value shift, RootMeanSquare *ret, Value *ret_x, Value *ret_bias) {
    const Node *sub = match_node(shift, TENSOR_SUB);
    Value mean, of;
    RootMeanSquare moved;
    MatchProduct product;
    if (!sub || !match_product(sub->inputs[1], (Value){0}, &(MatchNodes){0}, &product))
        return false;
    const MatchFactor *factor = NULL;
    do
        factor = match_product_factor(&product, 1, factor);
    while (factor && !match_mean(factor->value, ret_x));
    if (!factor)
        return false;
    mean = factor->value;
    if (!norms_match(sub->inputs[1], mean, &moved) || !norms_match(scaled, *ret_x, ret) ||
        !centered_match(ret->z, &ret->nodes, &of) || !value_equal(of, *ret_x) || !value_equal(ret->z, moved.z) ||
        !value_equal(ret->gain, moved.gain) || ret->epsilon != moved.epsilon ||
        !match_vector(sub->inputs[0], ret->gain.constant->shape.dims[0]))
        return false;
    for (size_t i = 0; i < moved.nodes.count && i < MATCH_MOST_NODES; i++)
        match_nodes_add(&ret->nodes, moved.nodes.nodes[i]);
    match_nodes_add(&ret->nodes, sub);
    *ret_bias = sub->inputs[0];
    return true;
}

static Status shifted_fuse(Graph *graph, Node *add, const size_t *uses, Error *err) {
    for (size_t i = 0; add->op == TENSOR_ADD && i < 2; i++) {
        RootMeanSquare match;
        Value x, bias;
        if (!shifted_match(add->inputs[i], add->inputs[1 - i], &match, &x, &bias))
            continue;
        MatchNodes nodes = {.nodes = {add}, .count = 1};
        for (size_t n = 0; n < match.nodes.count && n < MATCH_MOST_NODES; n++)
            match_nodes_add(&nodes, match.nodes.nodes[n]);
        if (match_nodes_are_private(&nodes, uses))
            return norm_make(graph, add, x, match.gain, bias, match.epsilon, err);
    }
    return OK;
}

static Status bias_fuse(Graph *graph, Node *add, const size_t *uses, Error *err) {
    const Node *node;
    Value bias;
    Norm norm;
    if (!match_operands(add, TENSOR_LAYER_NORMALIZATION, &node, &bias) || add->op != TENSOR_ADD ||
        node->output_count != 1 || uses[node->index] != 1 || !norms_read(graph, node, &norm) ||
        !value_absent(norm.bias) || !match_vector(bias, norm.gain.constant->shape.dims[0]))
        return OK;
    Value values[] = {norm.x, norm.gain, bias};
    NodeSpec spec = {.op = TENSOR_LAYER_NORMALIZATION,
                     .inputs = values,
                     .input_count = 3,
                     .attributes = node->attributes,
                     .attribute_count = node->attribute_count,
                     .note = node->note};
    return graph_change_node(graph, add, &spec, err);
}

Status pass_fuse_layer_norm(Graph *graph, const PassInputs *inputs, Error *err) {
    size_t *uses;
    TRY(match_uses(graph, inputs, &uses, err));
    for (size_t n = 0; n < graph->node_count; n++)
        TRY(norm_fuse(graph, graph->nodes[n], uses, err));
    for (size_t n = 0; n < graph->node_count; n++)
        TRY(shifted_fuse(graph, graph->nodes[n], uses, err));
    for (size_t n = 0; n < graph->node_count; n++)
        TRY(bias_fuse(graph, graph->nodes[n], uses, err));
    return pass_dead_code(graph, inputs, err);
}
