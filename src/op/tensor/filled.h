// SPDX-License-Identifier: Apache-2.0
// Filled: rows of f32 times a matrix whose columns an operator makes as they are needed (out of codes, or out of a
// matrix that lies the other way), or that was packed beforehand.
#pragma once

#include "op/packed.h"
#include "op/tensor/evaluate.h"
#include "op/tensor/infer.h"
#include "op/tensor/product_bytes.h"

// y = (x W') * scales + bias
typedef struct FilledProduct {
    size_t rows, n, k;
    const float *x; // [rows, k]
    // Writes rows [first, first + count) of W [n, k], dense.
    void (*fill)(const void *context, size_t first, size_t count, float *ret_rows);
    const void *context;
    const PackedWeights *packed; // in place of fill, without scales
    const float *scales;         // [n], or NULL
    const float *bias;           // [n], or NULL
    float *y;                    // [rows, n]
} FilledProduct;

MUST_CHECK Status filled_run(Evaluation *run, const FilledProduct *product, Error *err);

// A constant f32 [k, n], packed once. *ret_state (a PackedWeights) stays NULL where input `index` is something else.
MUST_CHECK Status filled_prepare(const OpPrepare *args, size_t index, void **ret_state, Error *err);

// fill for an f32 matrix [k, n].
typedef struct FilledMatrix {
    const float *data;
    size_t n, k;
} FilledMatrix;
void filled_fill_matrix(const void *context, size_t first, size_t count, float *ret_rows);

// Rows of input `a` (all dimensions but the last), which must have k columns.
MUST_CHECK Status filled_rows(const Evaluation *run, size_t a, size_t k, size_t *ret_rows, Error *err);
// The shape of input `a` with n columns.
Shape filled_shape(const Evaluation *run, size_t a, size_t n);
ValueType filled_type(ValueType a, Dim n);

// Operators over codes of a matrix [N, K] whose sizes are attributes: the output's type, and, once `product` has fill,
// context, n and k, the whole product of input `a` with bias `bias` (which may be absent).
Status filled_codes_infer(const Node *node, ValueType *ret_types, Error *err);
MUST_CHECK Status filled_codes(Evaluation *run, size_t a, size_t bias, FilledProduct *product, Error *err);

// y = (x (B - zero points)) * factor * scale + bias for 8-bit B [k, n]: inputs by their index. Zero points and scales
// are one or n; zero points and bias may be absent.
typedef struct BytesProduct {
    size_t b, scale, zero, bias;
    size_t rows;
    const float *x;
    float factor;
    float *y;
} BytesProduct;
MUST_CHECK Status filled_bytes(Evaluation *run, const BytesProduct *args, Error *err);
// The same of 8-bit rows in place of x and factor: in integers where run->state, ByteWeights, has b packed.
MUST_CHECK Status filled_bytes_rows(Evaluation *run, BytesProduct *args, const ByteRows *x, Error *err);
// k and n of input `b`, which must be u8 or i8 [k, n].
MUST_CHECK Status filled_bytes_sizes(const Evaluation *run, size_t b, size_t *ret_k, size_t *ret_n, Error *err);
