// SPDX-License-Identifier: Apache-2.0
// Min: the least of all inputs; NaN where one is.
#include <math.h>

#include "op/tensor/binary.h"

BINARY_REAL_LOOPS(min, x < y || isnan(x) ? x : y)
BINARY_SIGNED_LOOPS(min, x < y ? x : y)
BINARY_UNSIGNED_LOOPS(min, x < y ? x : y)

static Status evaluate(Evaluation *run, Error *err) {
    static const Binary binary = {.loops = {LOOPS_NUMBER(min)}};
    return binary_fold(run, &binary, err);
}

const OpDef op_tensor_min = {.infer = binary_infer_fold, .evaluate = evaluate};
