// SPDX-License-Identifier: Apache-2.0
// Div: a / b; of integers the whole part, and 0 where b is 0. The least integer divided by -1 wraps to itself.
#include "op/tensor/binary.h"

static int64_t divide(int64_t x, int64_t y) {
    return y == 0 ? 0 : y == -1 ? (int64_t)(0 - (uint64_t)x) : x / y;
}

BINARY_REAL_LOOPS(div, x / y)
BINARY_SIGNED_LOOPS(div, divide(x, y))
BINARY_UNSIGNED_LOOPS(div, y ? x / y : 0)

static Status evaluate(Evaluation *run, Error *err) {
    static const Binary binary = {.loops = {LOOPS_NUMBER(div)}};
    return binary_evaluate(run, &binary, err);
}

const OpDef op_tensor_div = {.infer = binary_infer, .evaluate = evaluate};
