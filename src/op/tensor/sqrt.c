// SPDX-License-Identifier: Apache-2.0
// Sqrt: NaN below 0.
#include <tgmath.h>

#include "op/tensor/unary.h"

UNARY_REAL_LOOPS(sqrt, sqrt(x))

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(sqrt)}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_sqrt = {.infer = infer_first, .evaluate = evaluate};
