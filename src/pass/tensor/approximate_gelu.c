// SPDX-License-Identifier: Apache-2.0
// approximate_gelu: Gelu and BiasGelu by erf become FastGelu, by tanh: up to 5e-4 off, and faster in ONNX Runtime. Runs
// only where results may change.
#include <string.h>

#include "pass/rewrite.h"

Status pass_approximate_gelu(Graph *graph, const PassInputs *inputs, Error *err) {
    (void)inputs;
    for (size_t n = 0; n < graph->node_count; n++) {
        Node *node = graph->nodes[n];
        bool exact = node->op == TENSOR_GELU && strcmp(node_text(node, "approximate", "none"), "none") == 0;
        if (!exact && node->op != TENSOR_MS_BIAS_GELU)
            continue;
        NodeSpec spec = {
            .op = TENSOR_MS_FAST_GELU, .inputs = node->inputs, .input_count = node->input_count, .note = node->note};
        TRY(graph_change_node(graph, node, &spec, err));
    }
    return OK;
}
