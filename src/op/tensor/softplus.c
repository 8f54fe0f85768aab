// SPDX-License-Identifier: Apache-2.0
// Softplus: log(1 + e^x), where e^x may not overflow.
#include <tgmath.h>

#include "op/tensor/unary.h"

UNARY_REAL_LOOPS(softplus, (x > 0 ? x : 0) + log1p(exp(-fabs(x))))

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(softplus)}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_softplus = {.infer = infer_first, .evaluate = evaluate};
