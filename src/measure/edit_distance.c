// SPDX-License-Identifier: Apache-2.0
// Levenshtein distance by one row of the table: row[j] is the distance of the ids so far to the first j labels.
#include "measure/edit_distance.h"

enum { CELLS_MOST = 1 << 30 };

static uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

Status token_errors_count(Arena *arena, const int32_t *ids, size_t id_count, const int32_t *labels, size_t label_count,
                          TokenErrors *ret_errors, Error *err) {
    // Either length alone is bounded too, so that a row's numbers fit 32 bits.
    if (id_count >= CELLS_MOST || label_count >= CELLS_MOST || (label_count && id_count > CELLS_MOST / label_count))
        return FAIL(err, ERR_LIMIT, "the edit distance of %zu ids to %zu labels is beyond the limit of %d cells",
                    id_count, label_count, CELLS_MOST);
    uint32_t *row = arena_array(arena, label_count + 1, sizeof *row, err);
    TRY_NEW(row);
    for (size_t j = 0; j <= label_count; j++)
        row[j] = (uint32_t)j;
    for (size_t i = 0; i < id_count; i++) {
        uint32_t diagonal = row[0];
        row[0] = (uint32_t)i + 1;
        for (size_t j = 0; j < label_count; j++) {
            uint32_t replaced = diagonal + (ids[i] != labels[j]);
            diagonal = row[j + 1];
            row[j + 1] = least(replaced, least(row[j], diagonal) + 1);
        }
    }
    size_t distance = row[label_count];
    *ret_errors = (TokenErrors){
        .exact = distance == 0,
        .distance = distance,
        .token_error = (double)distance / (double)(label_count ? label_count : 1),
    };
    return OK;
}
