// SPDX-License-Identifier: Apache-2.0
// Softsign: x / (1 + |x|).
#include <tgmath.h>

#include "op/tensor/unary.h"

UNARY_REAL_LOOPS(softsign, x / (1 + fabs(x)))

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(softsign)}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_softsign = {.infer = infer_first, .evaluate = evaluate};
