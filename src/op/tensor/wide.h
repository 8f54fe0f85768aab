// SPDX-License-Identifier: Apache-2.0
// Wide: outputs of half precision that are computed in f32 and narrowed at the end.
//
//     WideOutput y;
//     TRY(wide_output(run, 0, dtype, &shape, &y, err));
//     ... y.values[i] = ...
//     wide_done(&y);
#pragma once

#include "op/tensor/evaluate.h"

#define DTYPES_WIDE (DTYPE_BIT(DTYPE_F32) | DTYPE_BIT(DTYPE_F16) | DTYPE_BIT(DTYPE_BF16))

typedef struct WideOutput {
    DType dtype;
    size_t count;
    float *values; // of f32: the output itself
    void *data;
} WideOutput;

// Where the node has no output `index`, or it is not wanted, values lie in the run's scratch.
MUST_CHECK Status wide_output(Evaluation *run, size_t index, DType dtype, const Shape *shape, WideOutput *ret,
                              Error *err);
void wide_done(const WideOutput *output);

// Input `index` as f32, its type one of DTYPES_WIDE; *ret_values NULL where it is absent.
MUST_CHECK Status wide_input(Evaluation *run, size_t index, const float **ret_values, Error *err);
// The same for a vector of `count` elements.
MUST_CHECK Status wide_vector(Evaluation *run, size_t index, size_t count, const float **ret_values, Error *err);
