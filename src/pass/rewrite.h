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

// Goes through all nodes once, in order, so that what a pass puts before the node it is at costs nothing however long
// the graph is: the graph has the nodes given so far (and what was put before them), the others come back one by one.
// Until rewrite_sweep_next has given NULL, the graph is no whole one: nothing but that may read or replace later
// values.
typedef struct Sweep {
    Graph *graph;
    Node **nodes; // as they were
    size_t count, next;
} Sweep;
MUST_CHECK Status rewrite_sweep_begin(Graph *graph, Arena *scratch, Sweep *ret, Error *err);
MUST_CHECK Status rewrite_sweep_next(Sweep *sweep, Node **ret_node, Error *err); // NULL: that was all
// The place that a node given already had before the sweep.
size_t rewrite_sweep_place(const Sweep *sweep, const Node *node);

// What stands for outputs of nodes that are about to go, for passes that go through a graph in order and neither add
// nor remove nodes meanwhile: a node takes it as the pass comes to it, so that any number of them costs one walk.
typedef struct Replacements {
    Graph *graph;
    Arena *scratch;
    Value **of; // [node_count]; NULL: nothing stands for outputs of that node
} Replacements;
MUST_CHECK Status replacements_make(Graph *graph, Arena *scratch, Replacements *ret, Error *err);
MUST_CHECK Status replacements_add(Replacements *replacements, const Node *node, int output, Value value, Error *err);
void replacements_take(const Replacements *replacements, size_t node); // by the inputs of node number `node`
void replacements_return(const Replacements *replacements);            // by what the graph returns, at the end

// Marks for graph_keep, all true.
MUST_CHECK Status rewrite_marks(const Graph *graph, Arena *scratch, bool **ret_keep, Error *err);
