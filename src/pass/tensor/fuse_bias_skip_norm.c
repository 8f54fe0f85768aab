// SPDX-License-Identifier: Apache-2.0
// fuse_bias_skip_norm: a constant vector added to one of the values that a SkipLayerNormalization sums becomes its
// bias.
#include <string.h>

#include "pass/rewrite.h"
#include "pass/tensor/match.h"

// Where the operator has its bias; 0: it is another.
static size_t bias_index(OpCode op) {
    return op == TENSOR_MS_SKIP_LAYER_NORMALIZATION ? 4 : op == TENSOR_MS_SKIP_SIMPLIFIED_LAYER_NORMALIZATION ? 3 : 0;
}

Status pass_fuse_bias_skip_norm(Graph *graph, const PassInputs *inputs, Error *err) {
    size_t *uses;
    TRY(match_uses(graph, inputs, &uses, err));
    for (size_t n = 0; n < graph->node_count; n++) {
        Node *node = graph->nodes[n];
        size_t at = bias_index(node->op);
        Value values[5] = {0}, rest, bias;
        for (size_t i = 0; i < 2 && at && value_absent(rewrite_input(node, at)); i++) {
            if (!match_bias(node->inputs[i], &rest, &bias) || uses[node->inputs[i].node->index] != 1)
                continue;
            memcpy(values, node->inputs, node->input_count * sizeof *values);
            values[i] = rest;
            values[at] = bias;
            NodeSpec spec = {.op = node->op,
                             .inputs = values,
                             .input_count = at + 1,
                             .attributes = node->attributes,
                             .attribute_count = node->attribute_count,
                             .note = node->note};
            TRY(graph_change_node(graph, node, &spec, err));
        }
    }
    return pass_dead_code(graph, inputs, err);
}
