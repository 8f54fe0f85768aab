// SPDX-License-Identifier: Apache-2.0
// remove_noops: nodes whose result is one of their inputs: Identity, Dropout (of a model that is used, not trained),
// casts to the same type, reshapes and expansions to the same shape, slices of everything, sums with 0, products
// with 1.
#include <string.h>

#include "pass/rewrite.h"
#include "pass/tensor/match.h"

static bool slices_forward(const Node *node) {
    int64_t steps[8];
    size_t count;
    if (value_absent(rewrite_input(node, 4)))
        return true;
    if (!match_ints(node->inputs[4], steps, &count))
        return false;
    for (size_t i = 0; i < count; i++)
        if (steps[i] != 1)
            return false;
    return true;
}

static bool transposes_nothing(const Node *node) {
    size_t count;
    const int64_t *perm = node_ints(node, "perm", &count);
    for (size_t i = 0; i < count; i++)
        if (perm[i] != (int64_t)i)
            return false;
    return perm || value_type(node->inputs[0]).rank == 1 || value_type(node->inputs[0]).rank == 0;
}

// x + 0, x - 0, x * 1, x / 1, x ^ 1, where the number does not widen the shape.
static bool is_neutral(const Node *node, size_t *ret_input) {
    double number;
    bool sum = node->op == TENSOR_ADD || node->op == TENSOR_SUB,
         commutes = node->op == TENSOR_ADD || node->op == TENSOR_MUL;
    bool product = node->op == TENSOR_MUL || node->op == TENSOR_DIV || node->op == TENSOR_POW;
    for (size_t i = 0; (sum || product) && i < 2; i++) {
        ValueType other = value_type(node->inputs[1 - i]), own = value_type(node->inputs[i]);
        if ((i == 1 || commutes) && match_number(node->inputs[i], &number) && number == (sum ? 0 : 1) &&
            other.rank >= own.rank && other.rank >= 0) {
            *ret_input = 1 - i;
            return true;
        }
    }
    return false;
}

// Which input the first output is; false: none.
static bool is_input(const Node *node, size_t *ret_input) {
    ValueType from = node->input_count ? value_type(node->inputs[0]) : (ValueType){.rank = -1};
    bool same = node->output_count && types_are_equal_and_known(&from, &node->types[0]);
    *ret_input = 0;
    switch (node->op) {
    case TENSOR_IDENTITY:
    case TENSOR_DROPOUT:
        return true;
    case TENSOR_CAST:
        return from.rank >= 0 && node->types[0].rank >= 0 && from.dtype == node->types[0].dtype;
    case TENSOR_RESHAPE:
    case TENSOR_EXPAND:
    case TENSOR_SQUEEZE:
    case TENSOR_UNSQUEEZE:
    case TENSOR_FLATTEN:
    case TENSOR_TILE:
        return same;
    case TENSOR_SLICE:
        return same && slices_forward(node);
    case TENSOR_TRANSPOSE:
        return transposes_nothing(node);
    case TENSOR_CONCAT:
    case TENSOR_SUM:
    case TENSOR_MAX:
    case TENSOR_MIN:
    case TENSOR_MEAN:
        return node->input_count == 1;
    default:
        return is_neutral(node, ret_input);
    }
}

Status pass_remove_noops(Graph *graph, const PassInputs *inputs, Error *err) {
    bool *keep;
    Replacements replaced;
    TRY(rewrite_marks(graph, inputs->scratch, &keep, err));
    TRY(replacements_make(graph, inputs->scratch, &replaced, err));
    for (size_t n = 0; n < graph->node_count; n++) {
        const Node *node = graph->nodes[n];
        size_t input;
        replacements_take(&replaced, n);
        bool mask_read = node->op == TENSOR_DROPOUT && node->output_count > 1 && graph_uses(graph, node, 1);
        if (!op_is_tensor(node->op) || mask_read || !is_input(node, &input))
            continue;
        TRY(replacements_add(&replaced, node, 0, node->inputs[input], err));
        keep[n] = false;
    }
    replacements_return(&replaced);
    graph_keep(graph, keep, NULL);
    return OK;
}
