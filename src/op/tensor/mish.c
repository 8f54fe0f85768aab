// SPDX-License-Identifier: Apache-2.0
// Mish: x tanh(softplus(x)).
#include <tgmath.h>

#include "op/tensor/unary.h"

UNARY_REAL_LOOPS(mish, x *tanh((x > 0 ? x : 0) + log1p(exp(-fabs(x)))))

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(mish)}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_mish = {.infer = infer_first, .evaluate = evaluate};
