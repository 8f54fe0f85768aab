// SPDX-License-Identifier: Apache-2.0
// Names taken in a graph: hash sets for values, constants and dimension variables. Used by the files of this room, and
// by readers of files for names of their own.
#pragma once

#include "graph/graph.h"

typedef struct NameEntry {
    uint64_t hash;
    const char *name;   // NULL: free slot
    const void *object; // the Node or Constant
    int output;
    unsigned last_suffix; // "name.last_suffix" was the last one tried
} NameEntry;

typedef struct NameTable {
    NameEntry *slots; // open addressing, a power of two, at most half full
    size_t room, count;
} NameTable;

struct GraphNames {
    NameTable values, constants, dims; // of dims, `output` is the variable's number
    size_t dim_room;
};

// A hash that differs between processes: no file can have contents chosen to fall into one place of a table.
uint64_t names_hash(const void *data, size_t bytes);

NameEntry *names_find(const NameTable *table, const char *name);

// `name` is kept, not copied; a second entry of the same name replaces the first.
MUST_CHECK Status names_add(NameTable *table, Arena *arena, const char *name, const void *object, int output,
                            Error *err);

// A name that is free: a copy of `wish`, or "wish.1", "wish.2" ... ERR_FORMAT when it is empty or no valid UTF-8.
MUST_CHECK Status names_choose(NameTable *table, Arena *arena, const char *wish, const char **ret_name, Error *err);

void names_clear(NameTable *table);

// [A-Za-z_][A-Za-z0-9_]*: dimension variables, attribute names and bare text.
bool name_is_identifier(const char *name);

// [A-Za-z0-9_.-]+: names of values and constants that need no quotes.
bool name_is_bare(const char *name);
bool name_is_bare_char(char c);
