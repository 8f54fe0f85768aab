// SPDX-License-Identifier: Apache-2.0
// Greedy placement by size.
#include "exec/buffers.h"

#include <stdlib.h>

static int larger_first(const void *a, const void *b) {
    const BufferUse *x = *(const BufferUse *const *)a, *y = *(const BufferUse *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return x < y ? -1 : x > y;
}

static int lower_first(const void *a, const void *b) {
    const BufferUse *x = *(const BufferUse *const *)a, *y = *(const BufferUse *const *)b;
    return x->ret_offset < y->ret_offset ? -1 : x->ret_offset > y->ret_offset;
}

// The lowest gap between the neighbours in time, which come sorted by offset.
static size_t lowest_gap(BufferUse *const *placed, size_t count, const BufferUse *use) {
    size_t offset = 0;
    for (size_t i = 0; i < count; i++) {
        const BufferUse *other = placed[i];
        if (other->last < use->first || use->last < other->first)
            continue;
        if (other->ret_offset >= offset + use->bytes)
            break;
        if (other->ret_offset + other->bytes > offset)
            offset = other->ret_offset + other->bytes;
    }
    return offset;
}

Status buffers_place(Arena *scratch, BufferUse *uses, size_t count, size_t *ret_bytes, Error *err) {
    BufferUse **order = arena_array(scratch, count, sizeof(BufferUse *), err);
    TRY_NEW(order);
    BufferUse **placed = arena_array(scratch, count, sizeof(BufferUse *), err);
    TRY_NEW(placed);
    for (size_t i = 0; i < count; i++) {
        uses[i].bytes = (uses[i].bytes + 63) / 64 * 64;
        order[i] = &uses[i];
    }
    qsort(order, count, sizeof *order, larger_first);
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        order[i]->ret_offset = lowest_gap(placed, i, order[i]);
        if (order[i]->ret_offset + order[i]->bytes > total)
            total = order[i]->ret_offset + order[i]->bytes;
        placed[i] = order[i];
        qsort(placed, i + 1, sizeof *placed, lower_first);
    }
    *ret_bytes = total;
    return OK;
}
