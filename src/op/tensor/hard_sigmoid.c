// SPDX-License-Identifier: Apache-2.0
// HardSigmoid: alpha x + beta, kept within 0 and 1. {alpha=0.2, beta=0.5}
#include "op/tensor/unary.h"

UNARY_REAL_LOOPS(hard_sigmoid, UNARY_WITHIN_01(b + a * x))

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {
        .loops = {LOOPS_REAL(hard_sigmoid)}, .a = "alpha", .a_missing = 0.2, .b = "beta", .b_missing = 0.5};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_hard_sigmoid = {.infer = infer_first, .evaluate = evaluate};
