// SPDX-License-Identifier: Apache-2.0
// Round: to the nearest whole number, half to even.
#include <tgmath.h>

#include "op/tensor/unary.h"

UNARY_REAL_LOOPS(round, rint(x))

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(round)}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_round = {.infer = infer_first, .evaluate = evaluate};
