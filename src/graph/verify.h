// SPDX-License-Identifier: Apache-2.0
// The checks of graph_verify one by one, for the parser, which knows the line. ERR_INTERNAL without graph or place.
#pragma once

#include "graph/graph.h"

// `constant` is, or is about to be, number constant->index of the graph.
MUST_CHECK Status verify_constant(const Graph *graph, const Constant *constant, Error *err);

// The same for a node and node->index. Names are not looked at.
MUST_CHECK Status verify_node(const Graph *graph, const Node *node, Error *err);
