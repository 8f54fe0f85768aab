// SPDX-License-Identifier: Apache-2.0
// simplify_shapes: a Reshape whose result's dimensions are known gets a constant shape, in which 0 is a dimension kept
// and -1 the rest: whatever computed the shape is then read by nobody.
#include "pass/rewrite.h"
#include "pass/tensor/match.h"

// The list for a result of type `to` made of `from`; false where it cannot be written.
static bool shape_write(const ValueType *from, const ValueType *to, int64_t ret_shape[SHAPE_MOST_DIMS]) {
    int rests = 0;
    for (int i = 0; i < to->rank; i++) {
        const Dim *dim = &to->dims[i];
        bool kept = dim->variable && i < from->rank && from->dims[i].variable && dim->value != DIM_UNKNOWN &&
                    dim->value == from->dims[i].value;
        ret_shape[i] = kept ? 0 : dim->variable ? -1 : dim->value;
        rests += ret_shape[i] == -1;
        if (!dim->variable && dim->value == 0)
            return false;
    }
    return rests <= 1;
}

Status pass_simplify_shapes(Graph *graph, const PassInputs *inputs, Error *err) {
    (void)inputs;
    for (size_t n = 0; n < graph->node_count; n++) {
        Node *node = graph->nodes[n];
        int64_t shape[SHAPE_MOST_DIMS];
        if (node->op != TENSOR_RESHAPE || node->inputs[1].constant)
            continue;
        ValueType from = value_type(node->inputs[0]);
        if (from.rank < 0 || node->types[0].rank < 0 || !shape_write(&from, &node->types[0], shape))
            continue;
        Value constant;
        TRY(match_ints_constant(graph, "shape", shape, (size_t)node->types[0].rank, &constant, err));
        Value values[] = {node->inputs[0], constant};
        NodeSpec spec = {.op = TENSOR_RESHAPE, .inputs = values, .input_count = 2, .note = node->note};
        TRY(graph_change_node(graph, node, &spec, err));
    }
    return OK;
}
