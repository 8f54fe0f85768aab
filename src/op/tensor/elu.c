// SPDX-License-Identifier: Apache-2.0
// Elu: x where x >= 0, else alpha (e^x - 1). {alpha=1}
#include <tgmath.h>

#include "op/tensor/unary.h"

UNARY_REAL_LOOPS(elu, x < 0 ? a * expm1(x) : x)

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(elu)}, .a = "alpha", .a_missing = 1};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_elu = {.infer = infer_first, .evaluate = evaluate};
