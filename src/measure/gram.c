// SPDX-License-Identifier: Apache-2.0
// Blocks of rows, turned, are both factors of one product: sums += block' block, one band of it after the other.
#include "measure/gram.h"

#include <assert.h>

enum {
    STRIPE = 64,     // rows of the matrix that one piece of work adds to
    PANEL_MOST = 64, // no kernel's panels have more columns
};

size_t gram_bytes(size_t columns) {
    return columns * columns * sizeof(double) + (3 * columns + PANEL_MOST) * GRAM_BLOCK * sizeof(float);
}

Status gram_make(Arena *arena, size_t columns, Gram **ret_gram, Error *err) {
    Gram *gram = arena_array(arena, 1, sizeof *gram, err);
    TRY_NEW(gram);
    *gram = (Gram){.columns = columns, .packed_bytes = (columns + PANEL_MOST) * GRAM_BLOCK * sizeof(float)};
    TRY_NEW(gram->pending = arena_array(arena, columns, GRAM_BLOCK * sizeof *gram->pending, err));
    TRY_NEW(gram->sums = arena_array(arena, columns, columns * sizeof *gram->sums, err));
    TRY_NEW(gram->product = arena_array(arena, columns, GRAM_BLOCK * sizeof *gram->product, err));
    TRY_NEW(gram->packed = arena_alloc(arena, gram->packed_bytes, 64, err));
    *ret_gram = gram;
    return OK;
}

typedef struct Band {
    Gram *gram;
    const GemmKernel *kernel;
    size_t first, rows; // of the matrix
} Band;

static void stripe_run(void *context, size_t index) {
    const Band *band = context;
    Gram *gram = band->gram;
    size_t at = index * STRIPE, rows = band->rows - at < STRIPE ? band->rows - at : STRIPE;
    float *product = gram->product + at * gram->columns;
    double *sums = gram->sums + (band->first + at) * gram->columns;
    GemmTile tile = {.rows = rows,
                     .columns = gram->columns,
                     .k = gram->pending_rows,
                     .x = gram->pending + (band->first + at) * GRAM_BLOCK,
                     .x_stride = GRAM_BLOCK,
                     .panels = gram->packed,
                     .y = product,
                     .y_stride = gram->columns};
    band->kernel->run(&tile);
    for (size_t i = 0; i < rows * gram->columns; i++)
        sums[i] += (double)product[i];
}

void gram_finish(Gram *gram, const Kernels *kernels, Pool *pool) {
    if (!gram->pending_rows)
        return;
    Band band = {.gram = gram, .kernel = &kernels->gemm[WEIGHT_F32]};
    GemmRows rows = {.weights = gram->pending, .stride = GRAM_BLOCK, .columns = gram->columns, .k = gram->pending_rows};
    assert(gemm_packed_bytes(band.kernel, gram->columns, gram->pending_rows, 0) <= gram->packed_bytes);
    gemm_pack(band.kernel, WEIGHT_F32, &rows, 0, gemm_panels(band.kernel, gram->columns), gram->packed);
    for (; band.first < gram->columns; band.first += GRAM_BLOCK) {
        band.rows = gram->columns - band.first < GRAM_BLOCK ? gram->columns - band.first : GRAM_BLOCK;
        pool_run(pool, (band.rows + STRIPE - 1) / STRIPE, stripe_run, &band);
    }
    gram->pending_rows = 0;
}

void gram_add(Gram *gram, const Slab *x, const float *factors, const Kernels *kernels, Pool *pool) {
    for (size_t r = 0; r < x->rows; r++) {
        const float *row = (const float *)x->data + r * x->row_stride;
        float *to = gram->pending + gram->pending_rows++;
        for (size_t c = 0; c < gram->columns; c++)
            to[c * GRAM_BLOCK] = factors ? row[c] * factors[c] : row[c];
        if (gram->pending_rows == GRAM_BLOCK)
            gram_finish(gram, kernels, pool);
    }
}
