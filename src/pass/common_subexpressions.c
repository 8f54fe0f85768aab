// SPDX-License-Identifier: Apache-2.0
// common_subexpressions: nodes of the same operator, inputs and attributes compute the same; the first of them serves
// all. One walk with a hash table, so chains of equal nodes fold at once.
#include <string.h>

#include "op/op.h"
#include "pass/rewrite.h"

static uint64_t mix(uint64_t hash, uint64_t value) {
    return (hash ^ value) * 0x100000001b3u;
}

// Attributes count by their names' first bytes only: an integer 1 and a real 1.0 are equal.
static uint64_t node_hash(const Node *node) {
    uint64_t hash = mix(0xcbf29ce484222325u, node->op);
    for (size_t i = 0; i < node->input_count; i++) {
        Value v = node->inputs[i];
        hash = mix(hash, v.node ? v.node->index * 2 + 1 : v.constant ? (uint64_t)v.constant->index * 2 : ~(uint64_t)0);
        hash = mix(hash, v.node ? (uint64_t)v.output : 0);
    }
    for (size_t i = 0; i < node->attribute_count; i++)
        hash = mix(hash, (uint64_t)node->attributes[i].name[0]);
    return hash ^ hash >> 29;
}

static bool node_same(const Node *a, const Node *b) {
    if (a->op != b->op || a->input_count != b->input_count || a->attribute_count != b->attribute_count ||
        a->output_count != b->output_count)
        return false;
    for (size_t i = 0; i < a->input_count; i++)
        if (!value_equal(a->inputs[i], b->inputs[i]))
            return false;
    for (size_t i = 0; i < a->attribute_count; i++)
        if (!attribute_equal(&a->attributes[i], &b->attributes[i]))
            return false;
    return true;
}

static void redirect(Value *value, Node *const *serves) {
    if (value->node && serves[value->node->index])
        value->node = serves[value->node->index];
}

Status pass_common_subexpressions(Graph *graph, const PassInputs *inputs, Error *err) {
    size_t room = 16;
    while (room < graph->node_count * 2)
        room *= 2;
    Node **slots, **serves; // serves[n]: the earlier node that stands in for node n
    bool *keep;
    TRY_NEW(slots = arena_array(inputs->scratch, room, sizeof(Node *), err));
    TRY_NEW(serves = arena_array(inputs->scratch, graph->node_count, sizeof(Node *), err));
    TRY(rewrite_marks(graph, inputs->scratch, &keep, err));
    for (size_t n = 0; n < graph->node_count; n++) {
        Node *node = graph->nodes[n];
        for (size_t i = 0; i < node->input_count; i++)
            redirect(&node->inputs[i], serves);
        if (node->op == OP_INPUT || op_def(node->op)->effect)
            continue;
        size_t at = node_hash(node) & (room - 1);
        while (slots[at] && !node_same(slots[at], node))
            at = (at + 1) & (room - 1);
        serves[n] = slots[at];
        keep[n] = !slots[at];
        if (!slots[at])
            slots[at] = node;
    }
    for (size_t i = 0; i < graph->return_count; i++)
        redirect(&graph->returns[i], serves);
    graph_keep(graph, keep, NULL);
    return OK;
}
