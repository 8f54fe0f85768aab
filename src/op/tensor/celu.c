// SPDX-License-Identifier: Apache-2.0
// Celu: x where x >= 0, else alpha (e^(x / alpha) - 1). {alpha=1}
#include <tgmath.h>

#include "op/tensor/unary.h"

UNARY_REAL_LOOPS(celu, x < 0 ? a * expm1(x / a) : x)

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(celu)}, .a = "alpha", .a_missing = 1};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_celu = {.infer = infer_first, .evaluate = evaluate};
