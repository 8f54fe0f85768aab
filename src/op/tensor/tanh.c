// SPDX-License-Identifier: Apache-2.0
// Tanh: the hyperbolic tangent.
#include <tgmath.h>

#include "op/tensor/unary.h"

UNARY_ACTIVATION_LOOP(tanh_f32, ACTIVATION_TANH)
UNARY_LOOP(tanh_f64, double, double, tanh(x))

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(tanh)}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_tanh = {.infer = infer_first, .evaluate = evaluate};
