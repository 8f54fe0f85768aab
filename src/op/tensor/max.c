// SPDX-License-Identifier: Apache-2.0
// Max: the largest of all inputs; NaN where one is.
#include <math.h>

#include "op/tensor/binary.h"

BINARY_REAL_LOOPS(max, x > y || isnan(x) ? x : y)
BINARY_SIGNED_LOOPS(max, x > y ? x : y)
BINARY_UNSIGNED_LOOPS(max, x > y ? x : y)

static Status evaluate(Evaluation *run, Error *err) {
    static const Binary binary = {.loops = {LOOPS_NUMBER(max)}};
    return binary_fold(run, &binary, err);
}

const OpDef op_tensor_max = {.infer = binary_infer_fold, .evaluate = evaluate};
