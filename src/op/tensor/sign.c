// SPDX-License-Identifier: Apache-2.0
// Sign: -1, 0 or 1; NaN stays.
#include <tgmath.h>

#include "op/tensor/unary.h"

UNARY_REAL_LOOPS(sign, isnan(x) ? x : (Type)((x > 0) - (x < 0)))
UNARY_SIGNED_LOOPS(sign, (x > 0) - (x < 0))
UNARY_UNSIGNED_LOOPS(sign, x > 0)

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_NUMBER(sign)}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_sign = {.infer = infer_first, .evaluate = evaluate};
