// SPDX-License-Identifier: Apache-2.0
// Quantization: what QuantizeLinear and DequantizeLinear share: which scale belongs to which element.
#pragma once

#include "op/tensor/convert.h"
#include "op/tensor/move.h"

#define DTYPES_SMALL_FLOAT                                                                                             \
    (DTYPE_BIT(DTYPE_F8E4M3) | DTYPE_BIT(DTYPE_F8E4M3FNUZ) | DTYPE_BIT(DTYPE_F8E5M2) | DTYPE_BIT(DTYPE_F8E5M2FNUZ) |   \
     DTYPE_BIT(DTYPE_F4E2M1))
#define DTYPES_QUANTIZED                                                                                               \
    (DTYPES_SMALL_FLOAT | DTYPE_BIT(DTYPE_I16) | DTYPE_BIT(DTYPE_U16) | DTYPE_BIT(DTYPE_I8) | DTYPE_BIT(DTYPE_U8) |    \
     DTYPE_BIT(DTYPE_I4) | DTYPE_BIT(DTYPE_U4) | DTYPE_BIT(DTYPE_I2) | DTYPE_BIT(DTYPE_U2))

// The tensor is [outer, axis, inner]; element [o, a, i] has scale o * outer_step + a / block * block_step +
// i * inner_step: one for all, one for each place along the axis, or one for each block of them.
typedef struct Grid {
    size_t outer, axis, inner;
    size_t block, outer_step, block_step, inner_step;
    const float *scales, *zeros; // zero points
} Grid;

// From inputs 0 (the tensor), 1 (scales) and 2 (zero points, of the scales' shape; 0 where it is absent) and the
// attributes axis and block_size.
MUST_CHECK Status grid_find(Evaluation *run, Grid *ret_grid, Error *err);

// Elements of a row [o, a] of the grid.
typedef struct GridRow {
    size_t first, count;       // elements
    const float *scale, *zero; // of the first one
    size_t step;               // to those of the next: 0 or 1
} GridRow;
// Calls work(context, row) over the whole grid, on the pool. Rows are no longer than GRID_MOST_ROW.
enum { GRID_MOST_ROW = 256 };
void grid_run(const Evaluation *run, const Grid *grid, void (*work)(void *context, GridRow row), void *context);

// value + zero, rounded to even, within bounds of 16 bits. They are whole numbers, so that clamping may come before
// rounding; a NaN becomes the least. What is left has fewer than 22 bits, which adding 1.5 * 2^23 rounds to even in a
// way that compilers turn into vectors.
static inline float round_within(float value, float zero, float least, float most) {
    value = value > least - zero ? value : least - zero;
    value = value < most - zero ? value : most - zero;
    return ((value + 0x1.8p23f) - 0x1.8p23f) + zero;
}
