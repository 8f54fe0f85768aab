// SPDX-License-Identifier: Apache-2.0
// Cos: of radians.
#include <tgmath.h>

#include "op/tensor/unary.h"

UNARY_REAL_LOOPS(cos, cos(x))

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(cos)}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_cos = {.infer = infer_first, .evaluate = evaluate};
