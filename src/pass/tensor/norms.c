// SPDX-License-Identifier: Apache-2.0
// Norms in pieces and in one.
#include "pass/tensor/norms.h"

#include <math.h>

enum { MOST_OUTPUTS = 4 };

// mean + epsilon: of what is the mean?
static bool mean_epsilon(Value value, MatchNodes *nodes, Value *ret_of, double *ret_epsilon) {
    const Node *add = match_node(value, TENSOR_ADD);
    for (size_t i = 0; add && i < 2; i++)
        if (match_scalar(add, i, ret_epsilon) && match_mean(add->inputs[1 - i], ret_of)) {
            match_nodes_add(nodes, add);
            match_nodes_add(nodes, add->inputs[1 - i].node);
            return true;
        }
    return false;
}

static bool square(Value value, MatchNodes *nodes, Value *ret_of) {
    const Node *mul = match_node(value, TENSOR_MUL), *pow = match_node(value, TENSOR_POW);
    double two;
    if (!(mul && value_equal(mul->inputs[0], mul->inputs[1])) && !(pow && match_scalar(pow, 1, &two) && two == 2))
        return false;
    match_nodes_add(nodes, value.node);
    *ret_of = value.node->inputs[0];
    return true;
}

bool norms_match(Value value, Value y, RootMeanSquare *ret) {
    MatchProduct product;
    const MatchFactor *root = NULL;
    *ret = (RootMeanSquare){0};
    if (!match_node(value, TENSOR_MUL) && !match_node(value, TENSOR_DIV))
        return false;
    // Once to find the root, then again: y may be a product itself.
    match_nodes_add(&ret->nodes, value.node);
    if (!match_product(value, y, &(MatchNodes){0}, &product))
        return false;
    Value squared;
    do
        root = match_product_factor(&product, -0.5, root);
    while (root && !mean_epsilon(root->value, &ret->nodes, &squared, &ret->epsilon));
    if (!root || !square(squared, &ret->nodes, &ret->z))
        return false;
    ret->y = value_absent(y) ? ret->z : y;
    if (!match_product(value, ret->y, &ret->nodes, &product) || product.count != 3 || fabs(product.scale - 1) > 1e-6)
        return false;
    const MatchFactor *one = match_product_factor(&product, 1, NULL),
                      *two = one ? match_product_factor(&product, 1, one) : NULL;
    if (!two || !match_product_factor(&product, -0.5, NULL))
        return false;
    bool first = value_equal(one->value, ret->y);
    ret->gain = first ? two->value : one->value;
    ValueType type = value_type(ret->z);
    int64_t columns = type.rank > 0 ? type_dim(&type, 1) : -1;
    return (first || value_equal(two->value, ret->y)) && match_vector(ret->gain, columns);
}

bool norms_read(const Graph *graph, const Node *node, Norm *ret) {
    bool centered = node->op == TENSOR_LAYER_NORMALIZATION;
    if (!centered && node->op != TENSOR_SIMPLIFIED_LAYER_NORMALIZATION && node->op != TENSOR_RMS_NORMALIZATION)
        return false;
    *ret = (Norm){centered, node->inputs[0], node->inputs[1], node->input_count > 2 ? node->inputs[2] : (Value){0},
                  node_real(node, "epsilon", 1e-5)};
    for (size_t o = 1; o < node->output_count; o++)
        if (graph_uses(graph, node, (int)o))
            return false;
    return match_last_axis(node_int(node, "axis", -1), ret->x) && match_vector(ret->gain, -1) &&
           (value_absent(ret->bias) || match_vector(ret->bias, ret->gain.constant->shape.dims[0]));
}

Status norms_join(Graph *graph, Node *sum, const Node *norm, bool sum_is_read, size_t sum_output, const NodeSpec *spec,
                  Error *err) {
    const char *names[MOST_OUTPUTS];
    ValueType types[MOST_OUTPUTS];
    for (size_t o = 1; o < sum_output; o++) {
        Value taken;
        unsigned suffix = (unsigned)o;
        do
            TRY_NEW(names[o] = arena_format(graph->arena, err, "%s.%u", norm->names[0], suffix++));
        while (graph_find_value(graph, names[o], &taken));
        types[o] = spec->types ? spec->types[o] : (ValueType){.rank = -1};
    }
    names[0] = norm->names[0];
    names[sum_output] = sum->names[0];
    types[0] = norm->types[0];
    types[sum_output] = sum->types[0];
    NodeSpec joined = *spec;
    joined.names = names;
    joined.types = types;
    joined.output_count = sum_is_read ? sum_output + 1 : spec->output_count ? spec->output_count : 1;
    joined.note = norm->note;
    TRY(graph_change_node(graph, sum, &joined, err));
    if (sum_is_read)
        graph_replace_value(graph, value_of(sum, 0), value_of(sum, (int)sum_output));
    graph_replace_value(graph, value_of(norm, 0), value_of(sum, 0));
    return OK;
}
