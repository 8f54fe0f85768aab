// SPDX-License-Identifier: Apache-2.0
// Matrix products: how weights are held, one tile of a product, and the kernels that run it (kernel/kernels.h tells
// what all of them keep).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

typedef enum Activation {
    ACTIVATION_NONE,
    ACTIVATION_RELU,
    ACTIVATION_GELU,      // x/2 (1 + erf(x/sqrt 2))
    ACTIVATION_GELU_TANH, // x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
    ACTIVATION_SILU,      // x / (1 + exp(-x))
    ACTIVATION_TANH,
    ACTIVATION_COUNT
} Activation;

// "none", "relu", "gelu", "gelu_tanh", "silu", "tanh".
const char *activation_name(Activation activation);
// False, and *ret untouched, for an unknown name.
bool activation_from_name(const char *name, Activation *ret);

// How the weights of a matrix product are held. Storage row-major [n, k], one row per output column.
typedef enum WeightKind {
    WEIGHT_F32,
    WEIGHT_F16,  // widened to f32 exactly, then as WEIGHT_F32
    WEIGHT_BF16, // the same
    WEIGHT_S8,   // s8 with one f32 scale per row; activations are s8 with one scale per token
    WEIGHT_Q4,   // 4-bit codes that stand for 16 s8 values, one f32 scale per group of `group` k's; activations within
                 // +-127
    WEIGHT_KIND_COUNT
} WeightKind;

const char *weight_kind_name(WeightKind kind); // "f32", "f16", "bf16", "s8", "q4"

// One tile of y = activation(x W' + bias) + residual: all `rows`, columns [0, columns) of consecutive panels.
//   WEIGHT_S8: y = fmaf((float)sum, x_scales[row] * w_scale[column], bias), bias 0 if none;
//   WEIGHT_Q4: y = fmaf(sum, x_scales[row], bias), sum the chain over groups g = 0, 1, .. of
//              sum = fmaf((float)sum_g, w_scale[column][g], sum) from +0, sum_g the exact integer sum of x *
//              codes[code];
//   else:      y = sum + bias, no addition if none;
//   then activation, then residual.
// Of WEIGHT_S8 the sum may be that of numbers less their zero points: x and w are what is stored, and sum gets, in
// 32 bits that wrap, + column_sums[column] + row_factors[row] * column_factors[column].
typedef struct GemmTile {
    size_t rows, columns, k;
    const void *x;         // f32 [rows, k]; s8 [rows, k rounded up to GEMM_S8_K_STEP, the rest 0] for WEIGHT_S8, Q4
    size_t x_stride;       // elements between rows
    const float *x_scales; // WEIGHT_S8, Q4: [rows]
    const int32_t *x_sums; // WEIGHT_S8: [rows] what GemmKernel.row_sum says of each, or NULL
    const void *panels;    // packed; panel i holds columns [i*nr, (i+1)*nr)
    size_t group;          // WEIGHT_Q4: k's to a scale, a multiple of 32 that divides k
    const int8_t *codes;   // WEIGHT_Q4: [16] what the codes stand for
    const float *bias;     // [columns] or NULL
    const float *residual; // [rows, columns] or NULL; may be y itself
    size_t residual_stride;
    float *y;                                    // [rows, columns]; may not overlap x
    const int32_t *column_sums;                  // WEIGHT_S8: [columns], or NULL for nothing
    const int32_t *row_factors, *column_factors; // [rows], [columns], or NULL
    int32_t *sums; // WEIGHT_S8: if not NULL, gets the sums, y_stride apart, and y is left alone
    size_t y_stride;
    Activation activation;
} GemmTile;

enum { GEMM_S8_K_STEP = 64 }; // rows of quantized activations are padded with zeros to a multiple of this

static inline size_t gemm_s8_stride(size_t k) {
    return (k + GEMM_S8_K_STEP - 1) / GEMM_S8_K_STEP * GEMM_S8_K_STEP;
}

// Rows of weights to pack: `columns` (1..nr) rows of k elements, `stride` elements apart. Codes come one to a byte.
typedef struct GemmRows {
    const void *weights;
    size_t stride, columns, k;
    const float *scales; // WEIGHT_S8: [columns]; WEIGHT_Q4: [columns][k / group]
    size_t group;        // WEIGHT_Q4, as in GemmTile; else 0
} GemmRows;

// Tile sizes and the packer travel with the function: a plan packs with the kernel it will run.
typedef struct GemmKernel {
    const char *name;                              // "avx512 f32 8x48", for people and the engine cache
    size_t mr, nr;                                 // rows and columns of the micro-kernel; nr columns make a panel
    size_t (*panel_bytes)(size_t k, size_t group); // a multiple of 64; group 0 but for WEIGHT_Q4
    // Packs one panel. Missing columns are zeros. `ret_panel` is 64-byte aligned.
    void (*pack)(const GemmRows *rows, void *ret_panel);
    void (*run)(const GemmTile *tile);
    // The sum of a row of activations as GemmTile has them, or NULL: whoever runs many tiles over the same rows finds
    // it once, instead of each tile.
    int32_t (*row_sum)(const int8_t *x, size_t k);
} GemmKernel;

// The kernels of `kind` that this processor runs at `level`, the one expected to be fastest first; all give the same
// bits. `ret_kernels` has room for GEMM_MOST_VARIANTS. Returns how many (at least 1).
enum { GEMM_MOST_VARIANTS = 8 };
size_t gemm_variants(CpuLevel level, WeightKind kind, const GemmKernel *ret_kernels[GEMM_MOST_VARIANTS]);

// Panels of n columns, and bytes of the packed matrix.
size_t gemm_panels(const GemmKernel *kernel, size_t n);
size_t gemm_packed_bytes(const GemmKernel *kernel, size_t n, size_t k, size_t group);

// Packs panels [first, last) of the matrix of n rows (`matrix->columns`) into `ret_packed` (64-byte aligned, all
// panels' room): ranges may be packed by different threads.
void gemm_pack(const GemmKernel *kernel, WeightKind kind, const GemmRows *matrix, size_t first_panel, size_t last_panel,
               void *ret_packed);
