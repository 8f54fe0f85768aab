// SPDX-License-Identifier: Apache-2.0
// Buffer placement: gives every value of a plan an offset in one block, so that values alive at the same time never
// overlap.
#pragma once

#include "base/arena.h"

typedef struct BufferUse {
    size_t bytes;       // rounded up to 64 by the placer
    size_t first, last; // steps (inclusive) between which it must keep its bytes
    size_t ret_offset;
} BufferUse;

// Largest first, each at the lowest offset that is free over its whole life (greedy by size: Pisarchyk & Lee 2020).
// *ret_bytes gets the block's size.
MUST_CHECK Status buffers_place(Arena *scratch, BufferUse *uses, size_t count, size_t *ret_bytes, Error *err);
