// SPDX-License-Identifier: Apache-2.0
// The table of operators, out of graph/ops.def, and the type check of whole graphs.
#include "op/op.h"

#define OP(code, name, fewest, most, outputs) extern const OpDef op_##name;
#include "graph/ops.def"
#undef OP
#define TENSOR_OP(code, symbol, name, fewest, most, outputs) extern const OpDef op_tensor_##symbol;
#include "graph/tensor_ops.def"
#undef TENSOR_OP

const OpDef *op_def(OpCode op) {
    static const OpDef *const defs[OP_COUNT] = {
#define OP(code, name, fewest, most, outputs) [code] = &op_##name,
#include "graph/ops.def"
#undef OP
#define TENSOR_OP(code, symbol, name, fewest, most, outputs) [code] = &op_tensor_##symbol,
#include "graph/tensor_ops.def"
#undef TENSOR_OP
    };
    return defs[op];
}

// Outputs of a node, bounded so that types fit on the stack.
enum { MOST_OUTPUTS = 256 };

// By the shape rule; all unknown where there is none, as tensor operators may have it.
static Status types_infer(const Node *node, ValueType types[MOST_OUTPUTS], Error *err) {
    if (node->output_count > MOST_OUTPUTS)
        return FAIL(err, ERR_LIMIT, "%s has %zu outputs, at most %d are possible", op_name(node->op),
                    node->output_count, MOST_OUTPUTS);
    if (op_def(node->op)->infer)
        return op_def(node->op)->infer(node, types, err);
    for (size_t i = 0; i < node->output_count; i++)
        types[i] = (ValueType){.rank = -1};
    return OK;
}

Status op_infer(Node *node, Error *err) {
    ValueType types[MOST_OUTPUTS];
    TRY(types_infer(node, types, err));
    for (size_t i = 0; i < node->output_count; i++)
        node->types[i] = types[i];
    return OK;
}

Status op_verify(const Graph *graph, Error *err) {
    TRY(graph_verify(graph, err));
    for (size_t i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        ValueType types[MOST_OUTPUTS];
        TRY(types_infer(node, types, err));
        for (size_t o = 0; o < node->output_count; o++)
            if (op_is_tensor(node->op) ? !type_agrees(&types[o], &node->types[o])
                                       : !type_equal(&types[o], &node->types[o]))
                return FAIL(err, ERR_FORMAT, "%s '%s': the type of output %zu does not follow from its inputs",
                            op_name(node->op), node->names[o], o);
    }
    return OK;
}
