// SPDX-License-Identifier: Apache-2.0
// dead_code: from the returns and the nodes with effects backwards; what is never reached goes, constants too. Inputs
// stay: callers count them.
#include "op/op.h"
#include "pass/rewrite.h"

static void mark(Value value, bool *live_nodes, bool *live_constants) {
    if (value.node)
        live_nodes[value.node->index] = true;
    if (value.constant)
        live_constants[value.constant->index] = true;
}

Status pass_dead_code(Graph *graph, const PassInputs *inputs, Error *err) {
    bool *nodes, *constants;
    TRY_NEW(nodes = arena_array(inputs->scratch, graph->node_count, sizeof *nodes, err));
    TRY_NEW(constants = arena_array(inputs->scratch, graph->constant_count, sizeof *constants, err));
    for (size_t i = 0; i < graph->return_count; i++)
        mark(graph->returns[i], nodes, constants);
    for (size_t n = graph->node_count; n-- > 0;) {
        const Node *node = graph->nodes[n];
        nodes[n] |= node->op == OP_INPUT || op_def(node->op)->effect;
        for (size_t i = 0; i < node->input_count && nodes[n]; i++)
            mark(node->inputs[i], nodes, constants);
    }
    for (size_t c = graph->constant_count; c-- > 0;) // parts come before the whole
        for (size_t p = 0; p < graph->constants[c]->part_count && constants[c]; p++)
            constants[graph->constants[c]->parts[p]->index] = true;
    graph_keep(graph, nodes, constants);
    return OK;
}
