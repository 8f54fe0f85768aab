// SPDX-License-Identifier: Apache-2.0
// Exp: e^x; in f32 0 where that would be denormal, as all kernels have it.
#include <tgmath.h>

#include "kernel/ref/math.h"
#include "op/tensor/unary.h"

UNARY_F32_LOOP(exp_f32, float, math_exp(x))
UNARY_LOOP(exp_f64, double, double, exp(x))

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(exp)}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_exp = {.infer = infer_first, .evaluate = evaluate};
