// SPDX-License-Identifier: Apache-2.0
// Log: -infinity at 0, NaN below.
#include <tgmath.h>

#include "op/tensor/unary.h"

UNARY_REAL_LOOPS(log, log(x))

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(log)}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_log = {.infer = infer_first, .evaluate = evaluate};
