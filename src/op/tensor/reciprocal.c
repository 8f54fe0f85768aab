// SPDX-License-Identifier: Apache-2.0
// Reciprocal: 1 / x.
#include "op/tensor/unary.h"

UNARY_REAL_LOOPS(reciprocal, 1 / x)

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(reciprocal)}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_reciprocal = {.infer = infer_first, .evaluate = evaluate};
