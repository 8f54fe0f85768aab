// SPDX-License-Identifier: Apache-2.0
// The canonical text of a graph: the debugger, the test format and the documentation.
#pragma once

#include "base/buffer.h"
#include "base/file.h"
#include "graph/graph.h"

// Appends the text. Deterministic: same graph, same bytes. Constants with data of at most 16 elements and no other
// source print their values when `values` is set (%.9g for f32, so that they parse back to the same bits).
void graph_print(const Graph *graph, bool values, Buffer *buffer);

// Reads a text as graph_print writes it (blank lines and `// comments` allowed). ERR_FORMAT with line and column.
// Bounded: at most 1 MiB of text nesting nothing, 100,000 nodes.
MUST_CHECK Status graph_parse(Arena *arena, const char *name, Bytes text, Graph **ret_graph, Error *err);
