// SPDX-License-Identifier: Apache-2.0
// Ceil: the least whole number not below x.
#include <tgmath.h>

#include "op/tensor/unary.h"

UNARY_REAL_LOOPS(ceil, ceil(x))

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(ceil)}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_ceil = {.infer = infer_first, .evaluate = evaluate};
