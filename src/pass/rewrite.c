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
