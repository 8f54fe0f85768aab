// SPDX-License-Identifier: Apache-2.0
// Data rows: the JSON lines of data sets, in either of the two forms every command takes.
//
//   {"text"|"dialogue"|"document": source, "summary": reference} or {..., "summaries": [references]}
//   {"input_ids": [ids], "label_ids": [ids]}
#pragma once

#include "base/file.h"
#include "base/json.h"

typedef struct DataRow {
    const char *source; // NULL in the second form
    size_t source_bytes;
    Bytes *references;
    size_t reference_count;
    const int32_t *ids, *labels;
    size_t id_count, label_count;
} DataRow;

// Parses one line; `name` begins every message. With `needs_reference`, a row without reference or labels is
// ERR_FORMAT. What the row points to lives in the arena.
MUST_CHECK Status data_row_parse(Arena *arena, const char *name, Bytes line, bool needs_reference, DataRow *ret_row,
                                 Error *err);

// Nothing but white space: such a line is no row.
bool data_line_is_blank(Bytes line);

// A whole data set, all rows of one form; blank lines are passed over. `limit` 0: all rows. ERR_FORMAT names file and
// line.
typedef struct DataSet {
    DataRow *rows;
    size_t count;
    bool labelled; // the second form
} DataSet;
MUST_CHECK Status data_read(Arena *arena, const char *path, size_t limit, bool needs_reference, DataSet *ret_set,
                            Error *err);

// A JSON array of token ids. ERR_FORMAT names the member and the element.
MUST_CHECK Status data_ids_parse(Arena *arena, const json_t *array, const char *name, const char *member,
                                 const int32_t **ret_ids, size_t *ret_count, Error *err);
