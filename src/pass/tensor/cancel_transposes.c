// SPDX-License-Identifier: Apache-2.0
// cancel_transposes: a Transpose of a Transpose becomes one, or none; so it does where only elementwise operators of
// one input, which nobody else reads, are between and the two cancel.
#include <string.h>

#include "pass/rewrite.h"
#include "pass/tensor/match.h"

enum { MOST_BETWEEN = 8 };

static bool permutation_read(const Node *node, size_t *ret_count, int64_t ret[SHAPE_MOST_DIMS]) {
    size_t count;
    const int64_t *perm = node_ints(node, "perm", &count);
    ValueType type = value_type(node->inputs[0]);
    if (!perm) // all dimensions in reverse
        count = type.rank < 0 ? 0 : (size_t)type.rank;
    if (!count || count > SHAPE_MOST_DIMS)
        return false;
    for (size_t i = 0; i < count; i++) {
        ret[i] = perm ? perm[i] : (int64_t)(count - 1 - i);
        if (ret[i] < 0 || (size_t)ret[i] >= count)
            return false;
    }
    *ret_count = count;
    return true;
}

// What `second` after `first` does, both Transposes.
static bool permutations_compose(const Node *first, const Node *second, size_t *ret_count, int64_t ret[SHAPE_MOST_DIMS],
                                 bool *ret_nothing) {
    int64_t inner[SHAPE_MOST_DIMS], outer[SHAPE_MOST_DIMS];
    size_t count;
    if (!permutation_read(first, &count, inner) || !permutation_read(second, ret_count, outer) || count != *ret_count)
        return false;
    *ret_nothing = true;
    for (size_t i = 0; i < count; i++) {
        ret[i] = inner[outer[i]];
        *ret_nothing &= ret[i] == (int64_t)i;
    }
    return true;
}

// The rows of elementwise operators of one input; CastLike and BitCast are none.
static bool is_unary(OpCode op) {
    return (op >= TENSOR_ABS && op <= TENSOR_ISINF) || op == TENSOR_CAST;
}

// A Transpose of a Transpose.
static Status pair_join(Graph *graph, Node *second, const Node *first, bool *ret_changed, Error *err) {
    int64_t perm[SHAPE_MOST_DIMS];
    size_t count;
    bool nothing;
    *ret_changed = permutations_compose(first, second, &count, perm, &nothing);
    if (!*ret_changed)
        return OK;
    if (nothing) {
        graph_replace_value(graph, value_of(second, 0), first->inputs[0]);
        return OK;
    }
    Attribute attribute = attribute_ints("perm", perm, count);
    NodeSpec spec = {.op = TENSOR_TRANSPOSE,
                     .inputs = first->inputs,
                     .input_count = 1,
                     .attributes = &attribute,
                     .attribute_count = 1,
                     .note = second->note};
    return graph_change_node(graph, second, &spec, err);
}

// A node's type with the dimensions as they were before `first`.
static void type_untranspose(Node *node, const Node *first) {
    ValueType type = value_type(first->inputs[0]);
    type.dtype = node->types[0].dtype;
    if (node->types[0].rank < 0)
        type.rank = -1;
    node->types[0] = type;
}

// first, unary operators, second: the operators are done on what `first` reads, the last of them by `second`.
static Status pair_cancel(Graph *graph, Node *second, const size_t *uses, bool *ret_changed, Error *err) {
    Node *between[MOST_BETWEEN];
    size_t count = 0, length;
    Value at = second->inputs[0];
    while (count < MOST_BETWEEN && at.node && is_unary(at.node->op) && uses[at.node->index] == 1) {
        between[count++] = graph->nodes[at.node->index];
        at = at.node->inputs[0];
    }
    const Node *first = match_node(at, TENSOR_TRANSPOSE);
    int64_t perm[SHAPE_MOST_DIMS];
    bool nothing;
    *ret_changed = count && first && permutations_compose(first, second, &length, perm, &nothing) && nothing;
    if (!*ret_changed)
        return OK;
    for (size_t i = 1; i < count; i++)
        type_untranspose(between[i], first);
    between[count - 1]->inputs[0] = first->inputs[0];
    NodeSpec spec = {.op = between[0]->op,
                     .inputs = between[0]->inputs,
                     .input_count = 1,
                     .attributes = between[0]->attributes,
                     .attribute_count = between[0]->attribute_count,
                     .note = between[0]->note};
    return graph_change_node(graph, second, &spec, err);
}

// The first pair that can go.
static Status pair_find(Graph *graph, const size_t *uses, bool *ret_changed, Error *err) {
    *ret_changed = false;
    for (size_t n = 0; n < graph->node_count && !*ret_changed; n++) {
        Node *node = graph->nodes[n];
        if (node->op != TENSOR_TRANSPOSE)
            continue;
        const Node *first = match_node(node->inputs[0], TENSOR_TRANSPOSE);
        TRY(first ? pair_join(graph, node, first, ret_changed, err) : pair_cancel(graph, node, uses, ret_changed, err));
    }
    return OK;
}

Status pass_cancel_transposes(Graph *graph, const PassInputs *inputs, Error *err) {
    bool changed = true;
    while (changed) { // each change changes who reads what
        size_t *uses;
        TRY(match_uses(graph, inputs, &uses, err));
        TRY(pair_find(graph, uses, &changed, err));
    }
    return OK;
}
