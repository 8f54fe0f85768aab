// SPDX-License-Identifier: Apache-2.0
// Products of 8-bit integers less their zero points, exact in 32 bits: y = (a - a_zero) (b - b_zero), batched as
// matmul's. A constant b runs in the s8 kernels; else differences are held in 16 bits, the right ones turned so that k
// lies side by side.
#pragma once

#include "op/tensor/product_bytes.h"

// Which inputs they are. A zero point is one for all, one for each row of a (column of b), or that for each matrix.
typedef struct IntegerInputs {
    size_t a, a_zero, b, b_zero;
} IntegerInputs;

// Packs b once, where it and its zero point are constants.
MUST_CHECK Status integer_prepare(const OpPrepare *args, const IntegerInputs *inputs, void **ret_state, Error *err);
// `y` [plan->output]; sums beyond 32 bits wrap. run->state is what integer_prepare made.
MUST_CHECK Status integer_product(Evaluation *run, const IntegerInputs *inputs, const MatmulPlan *plan, int32_t *ret_y,
                                  Error *err);

// What a number of input `index` stands for: 0 for all, 1 for each row (column), 2 for each row of each matrix. FAIL
// where there are other counts of them.
MUST_CHECK Status integer_parameter(const Evaluation *run, size_t index, size_t each, size_t matrices, int *ret_kind,
                                    Error *err);
