// SPDX-License-Identifier: Apache-2.0
// Sigmoid: 1 / (1 + e^-x).
#include <tgmath.h>

#include "kernel/ref/math.h"
#include "op/tensor/unary.h"

UNARY_F32_LOOP(sigmoid_f32, float, 1 / (1 + math_exp(-x)))
UNARY_LOOP(sigmoid_f64, double, double, 1 / (1 + exp(-x)))

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(sigmoid)}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_sigmoid = {.infer = infer_first, .evaluate = evaluate};
