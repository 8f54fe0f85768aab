// SPDX-License-Identifier: Apache-2.0
// Neg: -x; the least integer has no positive and stays itself.
#include "op/tensor/unary.h"

UNARY_REAL_LOOPS(neg, -x)
UNARY_SIGNED_LOOPS(neg, 0 - (uint64_t)x)

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(neg), LOOPS_SIGNED(neg)}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_neg = {.infer = infer_first, .evaluate = evaluate};
