// SPDX-License-Identifier: Apache-2.0
// Product: matrix products y[m, n] = x[m, k] w[k, n], one or many of a shape. f32 runs in the packed kernels
// (kernel/gemm.h): w is packed when the graph is prepared, where it is a constant, else at the run, where there are
// rows enough to pay for it. Halves run as f32; f64 and integers (as 64 bits, which wrap) in plain loops.
#pragma once

#include "op/packed.h"
#include "op/tensor/epilogue.h"
#include "op/tensor/evaluate.h"
#include "op/tensor/infer.h"
#include "op/tensor/integers.h"

// Multiplications below which threads cost more than they save.
enum { PRODUCT_PARALLEL = 100000 };

// The right operands: `count` matrices [k, n] in one tensor, matrix i beginning at element at[i]; from one k to the
// next `k_step` elements, from one n to the next `n_step`.
typedef struct ProductWeights {
    DType dtype;
    const void *data;
    size_t count, n, k, k_step, n_step;
    const size_t *at;    // NULL: one after another
    const float *scales; // [n] of 8-bit weights, which are packed as s8 (u8 less 128); NULL: they are not packed
} ProductWeights;

typedef struct Product {
    DType dtype; // what is computed in: F32, F64, or U64 for integers
    size_t batches, m;
    const void *x;      // elements of a row lie side by side
    size_t x_row;       // from one row to the next
    const size_t *x_at; // [batches] where the batch's x begins; NULL: x is one batch
    ProductWeights weights;
    const size_t *w_index;       // [batches] the matrix of the batch; NULL: the first
    const PackedWeights *packed; // [weights.count] matrices that are packed already, or NULL
    Epilogue epilogue;           // of F32; without an activation where nothing is packed
    void *y;                     // [batches, m, n]
} Product;

MUST_CHECK Status product_run(Evaluation *run, const Product *product, Error *err);

// Packs constant weights for prepare. *ret is NULL where they are of no type that has kernels, or empty.
MUST_CHECK Status product_prepare(const OpPrepare *args, const Constant *constant, const ProductWeights *weights,
                                  const PackedWeights **ret, Error *err);

// Input `index` as what products compute in: f32, f64, or 64-bit integers.
DType product_type(DType dtype);
MUST_CHECK Status product_operand(Evaluation *run, size_t index, const void **ret_values, Error *err);
// Room for `count` results of `dtype`: the output itself where it is computed in its own type.
MUST_CHECK Status product_room(Evaluation *run, DType dtype, void *output, size_t count, void **ret_room, Error *err);
// Results in that room become the output's elements.
void product_store(DType dtype, const void *room, size_t count, void *ret_elements);

// numpy's matmul of two shapes: batches broadcast, a vector is a row on the left and a column on the right.
typedef struct MatmulPlan {
    Shape output;
    size_t batches, m, k, n, a_matrices, b_matrices;
    size_t *a_index, *b_index; // [batches] which matrix of a and of b
} MatmulPlan;

MUST_CHECK Status matmul_plan(Evaluation *run, size_t a, size_t b, MatmulPlan *ret, Error *err);
// What MatMul does at a run, the product times a factor in what it is computed in, before halves are rounded (f32 and
// halves; 1 for others).
MUST_CHECK Status matmul_evaluate(Evaluation *run, float factor, Error *err);
ValueType matmul_infer(ValueType a, ValueType b, DType dtype);
