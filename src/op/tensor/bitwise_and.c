// SPDX-License-Identifier: Apache-2.0
// BitwiseAnd: of the bits of integers.
#include "op/tensor/binary.h"

BINARY_UNSIGNED_LOOPS(bitwise_and, x &y)

static Status evaluate(Evaluation *run, Error *err) {
    static const Binary binary = {.loops = {LOOPS_WRAPPING(bitwise_and)}};
    return binary_evaluate(run, &binary, err);
}

const OpDef op_tensor_bitwise_and = {.infer = binary_infer, .evaluate = evaluate};
