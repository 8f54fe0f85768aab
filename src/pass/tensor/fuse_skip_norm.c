// SPDX-License-Identifier: Apache-2.0
// fuse_skip_norm: a norm of a sum of two values of one shape becomes SkipLayerNormalization or
// SkipSimplifiedLayerNormalization; where the sum is read elsewhere too (pre-norm models), it is output 3.
#include "pass/rewrite.h"
#include "pass/tensor/norms.h"

// Two of rank 3 that do not broadcast: dimensions are equal, or variables that a run can only make equal (exporters
// give one length two names).
static bool adds_alike(const Node *add) {
    ValueType a = value_type(add->inputs[0]), b = value_type(add->inputs[1]);
    bool alike = a.rank == 3 && b.rank == 3 && a.dtype == b.dtype && add->inputs[0].node && add->inputs[1].node;
    for (int i = 0; alike && i < 3; i++)
        alike = a.dims[i].variable == b.dims[i].variable && (a.dims[i].variable || a.dims[i].value == b.dims[i].value);
    return alike;
}

Status pass_fuse_skip_norm(Graph *graph, const PassInputs *inputs, Error *err) {
    size_t *uses;
    TRY(match_uses(graph, inputs, &uses, err));
    for (size_t n = 0; n < graph->node_count; n++) {
        Norm norm;
        const Node *node = graph->nodes[n];
        const Node *add = norms_read(graph, node, &norm) ? match_node(norm.x, TENSOR_ADD) : NULL;
        if (!add || !adds_alike(add))
            continue;
        Value values[] = {add->inputs[0], add->inputs[1], norm.gain, norm.bias};
        Attribute attribute = attribute_real("epsilon", norm.epsilon);
        NodeSpec spec = {.op = norm.centered ? TENSOR_MS_SKIP_LAYER_NORMALIZATION
                                             : TENSOR_MS_SKIP_SIMPLIFIED_LAYER_NORMALIZATION,
                         .inputs = values,
                         .input_count = norm.centered ? 4 : 3,
                         .attributes = &attribute,
                         .attribute_count = 1};
        TRY(norms_join(graph, graph->nodes[add->index], node, uses[add->index] > 1, 3, &spec, err));
    }
    return pass_dead_code(graph, inputs, err);
}
