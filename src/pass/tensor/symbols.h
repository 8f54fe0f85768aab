// SPDX-License-Identifier: Apache-2.0
// Symbols: what is known before a run of the small integer tensors that shapes are computed from. Exporters write a
// shape as Shape, Gather, Concat ...; followed as symbols, such a chain is a list of numbers and of the graph's
// dimension variables, and a Reshape by it has a type.
//
// Sums and the like of variables are variables too, named after the expression ("past_plus_seq"), so that equal
// expressions are equal dimensions.
#pragma once

#include "graph/graph.h"

enum { SYMBOLS_MOST = 16 }; // elements of a list

// The elements of an integer or bool tensor of rank 0 or 1; each may be unknown (DIM_UNKNOWN).
typedef struct Symbols {
    size_t count;
    bool scalar;
    Dim items[SYMBOLS_MOST];
} Symbols;

typedef struct SymbolTable SymbolTable;

// Goes through the graph once, in order: every value's symbols, and types as far as they follow from shape rules and
// symbols (types that were known stay). In `scratch`.
MUST_CHECK Status symbols_make(Graph *graph, Arena *scratch, SymbolTable **ret_table, Error *err);

// NULL: nothing is known of the value's elements, or it is no small list of integers.
const Symbols *symbols_of(const SymbolTable *table, Value value);
// All elements are numbers.
bool symbols_are_numbers(const Symbols *symbols);
