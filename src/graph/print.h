// SPDX-License-Identifier: Apache-2.0
// The canonical text of a graph: the debugger, the test format and the documentation.
#pragma once

#include "base/buffer.h"
#include "base/file.h"
#include "graph/graph.h"

// Constants of at most so many elements can be written with their values; a list in a text has at most so many items.
enum {
    GRAPH_MOST_VALUES = 16,
    GRAPH_MOST_CODES = 64, // of q4
    GRAPH_MOST_LIST = 1024,
    GRAPH_MOST_TEXT_BYTES = 1 << 20,
    GRAPH_MOST_NODES = 100000
};

// Appends the text. Deterministic: same graph, same bytes. Constants with data of at most GRAPH_MOST_VALUES elements
// print it when `values` is set: `= {1, 2.5}`, `= {127, -3} scales {0.5}` for s8/row, and for q4 of at most
// GRAPH_MOST_CODES `= {0, 15, ...} scales {0.5} codes {-8, ..., 7}`, in whatever order the codes are stored; in the
// fewest digits (six at least) that parse back to the same bits (a NaN keeps only being one).
void graph_print(const Graph *graph, bool values, Buffer *buffer);

// "f32", "s8/row", "q4/64": how a constant holds its numbers.
void graph_print_scheme(const Constant *constant, Buffer *buffer);

// Reads a text as graph_print writes it (blank lines, more spaces and `// comments` allowed); `name` is for messages.
// ERR_FORMAT with line and column (bytes, from 1); ERR_LIMIT beyond the bounds above. What it returns passes
// graph_verify; constants without values have data NULL.
MUST_CHECK Status graph_parse(Arena *arena, const char *name, Bytes text, Graph **ret_graph, Error *err);
