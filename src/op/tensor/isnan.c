// SPDX-License-Identifier: Apache-2.0
// IsNaN: whether x is no number.
#include <math.h>

#include "op/tensor/unary.h"

UNARY_F32_LOOP(isnan_f32, bool, isnan(x))
UNARY_LOOP(isnan_f64, double, bool, isnan(x))

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(isnan)}, .tests = true};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_isnan = {.infer = unary_infer_bool, .evaluate = evaluate};
