// SPDX-License-Identifier: Apache-2.0
// Swish: x sigmoid(alpha x). {alpha=1}
#include <tgmath.h>

#include "kernel/ref/math.h"
#include "op/tensor/unary.h"

UNARY_F32_LOOP(scaled_f32, float, x / (1 + math_exp(-a * x)))

static void swish_f32(const void *from, size_t count, const UnaryArgs *args, void *to) {
    if (args->a == 1)
        args->kernels->activate(ACTIVATION_SILU, from, count, to);
    else
        scaled_f32(from, count, args, to);
}

UNARY_LOOP(swish_f64, double, double, x / (1 + exp(-a * x)))

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(swish)}, .a = "alpha", .a_missing = 1};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_swish = {.infer = infer_first, .evaluate = evaluate};
