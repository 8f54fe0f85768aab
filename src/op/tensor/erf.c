// SPDX-License-Identifier: Apache-2.0
// Erf: the error function; of integers without its fraction, so -1, 0 or 1.
#include <tgmath.h>

#include "kernel/ref/math.h"
#include "op/tensor/unary.h"

UNARY_F32_LOOP(erf_f32, float, math_erf(x))
UNARY_LOOP(erf_f64, double, double, erf(x))
UNARY_SIGNED_LOOPS(erf, erf((double)x))
UNARY_UNSIGNED_LOOPS(erf, erf((double)x))

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_NUMBER(erf)}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_erf = {.infer = infer_first, .evaluate = evaluate};
