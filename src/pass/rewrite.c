// SPDX-License-Identifier: Apache-2.0
// Shared questions of passes about nodes.
#include "pass/rewrite.h"

#include <string.h>

Value rewrite_input(const Node *node, size_t index) {
    return index < node->input_count ? node->inputs[index] : (Value){0};
}

bool rewrite_is_linear(const Node *node) {
    return node && node->op == OP_LINEAR;
}

bool rewrite_has_activation(const Node *node) {
    return strcmp(node_text(node, "activation", "none"), "none") != 0;
}

bool rewrite_has_residual(const Node *node) {
    return !value_absent(rewrite_input(node, 3));
}

Status rewrite_marks(const Graph *graph, Arena *scratch, bool **ret_keep, Error *err) {
    bool *keep = arena_array(scratch, graph->node_count, sizeof *keep, err);
    TRY_NEW(keep);
    for (size_t i = 0; i < graph->node_count; i++)
        keep[i] = true;
    *ret_keep = keep;
    return OK;
}

Status rewrite_sweep_begin(Graph *graph, Arena *scratch, Sweep *ret, Error *err) {
    *ret = (Sweep){.graph = graph, .count = graph->node_count};
    TRY_NEW(ret->nodes = arena_array(scratch, ret->count, sizeof(Node *), err));
    for (size_t n = 0; n < ret->count; n++)
        ret->nodes[n] = graph->nodes[n];
    graph->node_count = 0;
    return OK;
}

Status rewrite_sweep_next(Sweep *sweep, Node **ret_node, Error *err) {
    Graph *graph = sweep->graph;
    *ret_node = NULL;
    if (sweep->next == sweep->count)
        return OK;
    if (graph->node_count == graph->node_room) { // others were put before those given
        Node **larger = arena_array(graph->arena, graph->node_room * 2, sizeof(Node *), err);
        TRY_NEW(larger);
        memcpy(larger, graph->nodes, graph->node_count * sizeof(Node *));
        graph->nodes = larger;
        graph->node_room *= 2;
    }
    *ret_node = sweep->nodes[sweep->next++];
    (*ret_node)->index = graph->node_count;
    graph->nodes[graph->node_count++] = *ret_node;
    return OK;
}

size_t rewrite_sweep_place(const Sweep *sweep, const Node *node) {
    size_t low = 0, high = sweep->next;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (sweep->nodes[middle]->index <= node->index)
            low = middle;
        else
            high = middle;
    }
    return low;
}

Status replacements_make(Graph *graph, Arena *scratch, Replacements *ret, Error *err) {
    *ret = (Replacements){.graph = graph, .scratch = scratch};
    TRY_NEW(ret->of = arena_array(scratch, graph->node_count, sizeof *ret->of, err));
    return OK;
}

Status replacements_add(Replacements *r, const Node *node, int output, Value value, Error *err) {
    Value **of = &r->of[node->index];
    if (!*of)
        TRY_NEW(*of = arena_array(r->scratch, node->output_count, sizeof **of, err));
    (*of)[output] = value;
    return OK;
}

static void value_take(const Replacements *r, Value *value) {
    const Value *of = value->node ? r->of[value->node->index] : NULL;
    if (of && !value_absent(of[value->output]))
        *value = of[value->output];
}

void replacements_take(const Replacements *r, size_t node) {
    for (size_t i = 0; i < r->graph->nodes[node]->input_count; i++)
        value_take(r, &r->graph->nodes[node]->inputs[i]);
}

void replacements_return(const Replacements *r) {
    for (size_t i = 0; i < r->graph->return_count; i++)
        value_take(r, &r->graph->returns[i]);
}
