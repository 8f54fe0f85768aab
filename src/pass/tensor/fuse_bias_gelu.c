// SPDX-License-Identifier: Apache-2.0
// fuse_bias_gelu: Gelu of a sum with a constant vector becomes BiasGelu, Gelu {approximate=tanh} FastGelu, with a bias
// or without. Only ONNX Runtime has these.
#include <string.h>

#include "pass/rewrite.h"
#include "pass/tensor/match.h"

Status pass_fuse_bias_gelu(Graph *graph, const PassInputs *inputs, Error *err) {
    size_t *uses;
    TRY(match_uses(graph, inputs, &uses, err));
    for (size_t n = 0; n < graph->node_count; n++) {
        Node *node = graph->nodes[n];
        if (node->op != TENSOR_GELU)
            continue;
        bool tanh = strcmp(node_text(node, "approximate", "none"), "tanh") == 0;
        Value values[2] = {node->inputs[0]};
        bool biased = node->inputs[0].node && uses[node->inputs[0].node->index] == 1 &&
                      match_bias(node->inputs[0], &values[0], &values[1]);
        if (!biased && !tanh)
            continue;
        NodeSpec spec = {.op = tanh ? TENSOR_MS_FAST_GELU : TENSOR_MS_BIAS_GELU,
                         .inputs = values,
                         .input_count = biased ? 2 : 1,
                         .note = node->note};
        TRY(graph_change_node(graph, node, &spec, err));
    }
    return pass_dead_code(graph, inputs, err);
}
