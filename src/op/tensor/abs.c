// SPDX-License-Identifier: Apache-2.0
// Abs: |x|; the least integer has no positive and stays itself.
#include <tgmath.h>

#include "op/tensor/unary.h"

UNARY_REAL_LOOPS(abs, fabs(x))
UNARY_SIGNED_LOOPS(abs, x < 0 ? 0 - (uint64_t)x : (uint64_t)x)
UNARY_UNSIGNED_LOOPS(abs, x)

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_NUMBER(abs)}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_abs = {.infer = infer_first, .evaluate = evaluate};
