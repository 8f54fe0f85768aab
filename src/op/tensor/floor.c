// SPDX-License-Identifier: Apache-2.0
// Floor: the largest whole number not above x.
#include <tgmath.h>

#include "op/tensor/unary.h"

UNARY_REAL_LOOPS(floor, floor(x))

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(floor)}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_floor = {.infer = infer_first, .evaluate = evaluate};
