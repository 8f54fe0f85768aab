// SPDX-License-Identifier: Apache-2.0
// Products with constant 8-bit matrices in the s8 kernels. Both sides are held as s8, u8 less 128 and its zero point
// with it, which changes no difference; what zero points add to a sum follows from the sums of rows and columns
// (kernel/gemm.h, GemmTile). Exact.
#pragma once

#include "op/tensor/product.h"

#define DTYPES_BYTE (DTYPE_BIT(DTYPE_U8) | DTYPE_BIT(DTYPE_I8))

// `count` matrices [k, n], packed.
typedef struct ByteWeights {
    const PackedWeights *packed; // [count]
    size_t count, k, n;
    const int32_t *sums;  // [count][n] of the columns
    const int32_t *zeros; // [n] zero points, or NULL where all are 0
    Epilogue epilogue;    // of results in f32
} ByteWeights;

// Which inputs of a node they are. Zero points and scales are one, or one for each column; scale SIZE_MAX: none.
typedef struct ByteInputs {
    size_t values, zero, scale;
} ByteInputs;

// Packs the matrices, where they, their zero points and scales are constants. *ret_state, ByteWeights, stays NULL where
// something does not fit: the run has the sentence for that, or other ways to multiply.
MUST_CHECK Status byte_weights_prepare(const OpPrepare *args, ByteInputs inputs, void **ret_state, Error *err);
// The same for a product whose result is f32 and the node's; `bias` is its own input for that.
MUST_CHECK Status byte_weights_prepare_real(const OpPrepare *args, ByteInputs inputs, size_t bias, void **ret_state,
                                            Error *err);

// Rows of s8, each padded with zeros to a multiple of GEMM_S8_K_STEP, all with one scale and zero point.
typedef struct ByteRows {
    const int8_t *values;
    size_t rows, k, stride;
    int32_t zero;
    float scale;
} ByteRows;

// Input `values`, of DTYPES_BYTE, as rows of k elements; `zero` and `scale` are inputs of one number (zero may be
// absent, scale SIZE_MAX: 1).
MUST_CHECK Status byte_rows_read(Evaluation *run, size_t values, size_t zero, size_t scale, size_t k, ByteRows *ret,
                                 Error *err);
// f32 [rows, k], quantized by its own range as DynamicQuantizeLinear does.
MUST_CHECK Status byte_rows_quantize(Evaluation *run, const float *x, size_t rows, size_t k, ByteRows *ret, Error *err);

// x[rows] times matrix `index`, into `sums` [rows, n], or, if that is NULL, scaled and with a bias (or NULL) into `y`.
typedef struct ByteProduct {
    const ByteWeights *weights;
    size_t index;
    ByteRows x;
    const float *bias;
    float *y;
    int32_t *sums;
} ByteProduct;
MUST_CHECK Status byte_product_run(Evaluation *run, const ByteProduct *product, Error *err);
