// SPDX-License-Identifier: Apache-2.0
// Equal: whether a = b, of numbers or bools; NaN equals nothing.
#include "op/tensor/binary.h"

BINARY_COMPARE_LOOPS(equal, x == y)
BINARY_LOOP(equal_bool, uint8_t, bool, !x == !y)

static Status evaluate(Evaluation *run, Error *err) {
    static const Binary binary = {.loops = {LOOPS_NUMBER(equal), [DTYPE_BOOL] = equal_bool}, .compares = true};
    return binary_evaluate(run, &binary, err);
}

const OpDef op_tensor_equal = {.infer = binary_infer_bool, .evaluate = evaluate};
