// SPDX-License-Identifier: Apache-2.0
// fuse_rms_norm: x / sqrt(mean(x^2) + epsilon) * gain over the last axis becomes SimplifiedLayerNormalization.
#include "pass/rewrite.h"
#include "pass/tensor/norms.h"

Status pass_fuse_rms_norm(Graph *graph, const PassInputs *inputs, Error *err) {
    size_t *uses;
    RootMeanSquare match;
    TRY(match_uses(graph, inputs, &uses, err));
    for (size_t n = 0; n < graph->node_count; n++) {
        Node *node = graph->nodes[n];
        if (!node->output_count || !norms_match(value_of(node, 0), (Value){0}, &match) ||
            !match_nodes_are_private(&match.nodes, uses))
            continue;
        Value values[] = {match.z, match.gain};
        Attribute attributes[] = {attribute_int("axis", -1), attribute_real("epsilon", match.epsilon)};
        NodeSpec spec = {.op = TENSOR_SIMPLIFIED_LAYER_NORMALIZATION,
                         .inputs = values,
                         .input_count = 2,
                         .attributes = attributes,
                         .attribute_count = 2,
                         .note = node->note};
        TRY(graph_change_node(graph, node, &spec, err));
    }
    return pass_dead_code(graph, inputs, err);
}
