// SPDX-License-Identifier: Apache-2.0
// HardSwish: x times x / 6 + 1/2, the latter kept within 0 and 1.
#include "op/tensor/unary.h"

UNARY_REAL_LOOPS(hard_swish, UNARY_WITHIN_01(x / 6 + (Type)0.5) * x)

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(hard_swish)}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_hard_swish = {.infer = infer_first, .evaluate = evaluate};
