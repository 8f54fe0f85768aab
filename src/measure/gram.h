// SPDX-License-Identifier: Apache-2.0
// Gram matrices: sum over rows of x x', the second-order statistics that GPTQ's Hessian is made of. Rows are gathered
// in blocks, multiplied by the kernels of the matrix products (in f32, each of at most 256 summands), and the blocks
// added up in double precision.
#pragma once

#include "exec/session.h"

enum { GRAM_BLOCK = 256 }; // rows that are multiplied at once

typedef struct Gram {
    size_t columns;
    double *sums;   // [columns, columns], symmetric to the bit; whole after gram_finish
    float *pending; // [columns, GRAM_BLOCK] rows that wait, turned
    size_t pending_rows;
    void *packed;   // the same as panels
    float *product; // [GRAM_BLOCK, columns] a band of one block's
    size_t packed_bytes;
} Gram;

// Bytes that one takes for a value of so many columns.
size_t gram_bytes(size_t columns);

MUST_CHECK Status gram_make(Arena *arena, size_t columns, Gram **ret_gram, Error *err);

// Adds rows of x, each element times its column's factor where `factors` is not NULL.
void gram_add(Gram *gram, const Slab *x, const float *factors, const Kernels *kernels, Pool *pool);

// Multiplies what waits.
void gram_finish(Gram *gram, const Kernels *kernels, Pool *pool);
