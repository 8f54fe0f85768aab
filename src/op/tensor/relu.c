// SPDX-License-Identifier: Apache-2.0
// Relu: x where x > 0, else 0; NaN stays.
#include "op/tensor/unary.h"

UNARY_ACTIVATION_LOOP(relu_f32, ACTIVATION_RELU)
UNARY_LOOP(relu_f64, double, double, x < 0 ? 0 : x)
UNARY_SIGNED_LOOPS(relu, x < 0 ? 0 : x)

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(relu), LOOPS_SIGNED(relu)}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_relu = {.infer = infer_first, .evaluate = evaluate};
