// SPDX-License-Identifier: Apache-2.0
// Tan: of radians.
#include <tgmath.h>

#include "op/tensor/unary.h"

UNARY_REAL_LOOPS(tan, tan(x))

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(tan)}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_tan = {.infer = infer_first, .evaluate = evaluate};
