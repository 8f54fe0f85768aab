// SPDX-License-Identifier: Apache-2.0
// Sin: of radians.
#include <tgmath.h>

#include "op/tensor/unary.h"

UNARY_REAL_LOOPS(sin, sin(x))

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(sin)}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_sin = {.infer = infer_first, .evaluate = evaluate};
