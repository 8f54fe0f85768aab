// SPDX-License-Identifier: Apache-2.0
// push_constants: constants that the bodies of If and Loop read from around them become the bodies' own, so that
// passes see them there. The bytes are shared; whoever writes a file writes them once.
#include "pass/rewrite.h"
#include "pass/tensor/match.h"

// The input of the node that the body's input number *ret_formal stands for, from which on both are what is around.
static bool captures_find(const Node *node, size_t *ret_formal, size_t *ret_first) {
    int64_t carried = node_int(node, "carried", (int64_t)node->input_count - 2);
    bool loop = node->op == TENSOR_LOOP;
    if (loop && (carried < 0 || carried > (int64_t)node->input_count - 2))
        return false;
    *ret_formal = loop ? 2 + (size_t)carried : 0;
    *ret_first = loop ? 2 + (size_t)carried : 1;
    return loop || node->op == TENSOR_IF;
}

static bool is_pushed(Value value) {
    return constant_is_plain(value.constant);
}

// A copy of the body, in which inputs that stand for constants are gone.
static Status body_push(Graph *graph, const Node *node, size_t formal, size_t first, Attribute *attribute,
                        Arena *scratch, Error *err) {
    Graph *body = graph_copy(graph->arena, attribute->graph, err);
    size_t at = 0;
    bool *keep;
    TRY_NEW(body);
    TRY(rewrite_marks(body, scratch, &keep, err));
    for (size_t n = 0; n < body->node_count; n++) {
        if (body->nodes[n]->op != OP_INPUT || at++ < formal)
            continue;
        size_t input = first + at - 1 - formal;
        const Constant *added;
        if (input >= node->input_count || !is_pushed(node->inputs[input]))
            continue;
        TRY(graph_add_constant(body, node->inputs[input].constant, &added, err));
        graph_replace_value(body, value_of(body->nodes[n], 0), value_constant(added));
        keep[n] = false;
    }
    graph_keep(body, keep, NULL);
    attribute->graph = body;
    return OK;
}

static Status node_push(Graph *graph, Node *node, size_t formal, size_t first, Arena *scratch, Error *err) {
    size_t kept = first;
    for (size_t a = 0; a < node->attribute_count; a++)
        if (node->attributes[a].kind == ATTRIBUTE_GRAPH)
            TRY(body_push(graph, node, formal, first, &node->attributes[a], scratch, err));
    for (size_t i = first; i < node->input_count; i++)
        if (!is_pushed(node->inputs[i]))
            node->inputs[kept++] = node->inputs[i];
    node->input_count = kept;
    return OK;
}

Status pass_push_constants(Graph *graph, const PassInputs *inputs, Error *err) {
    bool pushed = false;
    for (size_t n = 0; n < graph->node_count; n++) {
        Node *node = graph->nodes[n];
        size_t formal, first, constants = 0;
        if (!captures_find(node, &formal, &first))
            continue;
        for (size_t i = first; i < node->input_count; i++)
            constants += is_pushed(node->inputs[i]);
        if (constants)
            TRY(node_push(graph, node, formal, first, inputs->scratch, err));
        pushed |= constants > 0;
    }
    return pushed ? pass_dead_code(graph, inputs, err) : OK;
}
