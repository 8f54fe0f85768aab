// SPDX-License-Identifier: Apache-2.0
// BitwiseNot: every bit of an integer turned.
#include "op/tensor/unary.h"

UNARY_UNSIGNED_LOOPS(bitwise_not, ~x)

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_WRAPPING(bitwise_not)}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_bitwise_not = {.infer = infer_first, .evaluate = evaluate};
