// SPDX-License-Identifier: Apache-2.0
// LessOrEqual: whether a <= b.
#include "op/tensor/binary.h"

BINARY_COMPARE_LOOPS(less_or_equal, x <= y)

static Status evaluate(Evaluation *run, Error *err) {
    static const Binary binary = {.loops = {LOOPS_NUMBER(less_or_equal)}, .compares = true};
    return binary_evaluate(run, &binary, err);
}

const OpDef op_tensor_less_or_equal = {.infer = binary_infer_bool, .evaluate = evaluate};
