// SPDX-License-Identifier: Apache-2.0
// What several passes ask and do.
#pragma once

#include "graph/graph.h"
#include "pass/pass.h"

#define PASS(name, standard, summary) PassRun pass_##name;
#include "pass/passes.def"
#undef PASS

// Input `index`, absent where the node has fewer.
Value rewrite_input(const Node *node, size_t index);

// A linear without activation (and without residual) is x W' + bias alone, which other nodes may be put into.
bool rewrite_is_linear(const Node *node);      // any linear
bool rewrite_has_activation(const Node *node); // other than "none"
bool rewrite_has_residual(const Node *node);

// Marks for graph_keep, all true.
MUST_CHECK Status rewrite_marks(const Graph *graph, Arena *scratch, bool **ret_keep, Error *err);
