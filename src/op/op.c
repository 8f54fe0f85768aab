// SPDX-License-Identifier: Apache-2.0
// The table of operators, out of graph/ops.def, and the type check of whole graphs.
#include "op/op.h"

#define OP(code, name, fewest, most, outputs) extern const OpDef op_##name;
#include "graph/ops.def"
#undef OP

const OpDef *op_def(OpCode op) {
    static const OpDef *const defs[OP_COUNT] = {
#define OP(code, name, fewest, most, outputs) [code] = &op_##name,
#include "graph/ops.def"
#undef OP
    };
    return defs[op];
}

// Outputs of a node, bounded so that types fit on the stack.
enum { MOST_OUTPUTS = 256 };

Status op_infer(Node *node, Error *err) {
    ValueType types[MOST_OUTPUTS];
    if (node->output_count > MOST_OUTPUTS)
        return FAIL(err, ERR_LIMIT, "%s has %zu outputs, at most %d are possible", op_name(node->op),
                    node->output_count, MOST_OUTPUTS);
    TRY(op_def(node->op)->infer(node, types, err));
    for (size_t i = 0; i < node->output_count; i++)
        node->types[i] = types[i];
    return OK;
}

Status op_verify(const Graph *graph, Error *err) {
    TRY(graph_verify(graph, err));
    for (size_t i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        ValueType types[MOST_OUTPUTS];
        if (node->output_count > MOST_OUTPUTS)
            return FAIL(err, ERR_LIMIT, "%s has %zu outputs, at most %d are possible", op_name(node->op),
                        node->output_count, MOST_OUTPUTS);
        TRY(op_def(node->op)->infer(node, types, err));
        for (size_t o = 0; o < node->output_count; o++)
            if (!type_equal(&types[o], &node->types[o]))
                return FAIL(err, ERR_FORMAT, "%s '%s': the type of output %zu does not follow from its inputs",
                            op_name(node->op), node->names[o], o);
    }
    return OK;
}
