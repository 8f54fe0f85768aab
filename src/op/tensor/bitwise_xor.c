// SPDX-License-Identifier: Apache-2.0
// BitwiseXor: of the bits of integers.
#include "op/tensor/binary.h"

BINARY_UNSIGNED_LOOPS(bitwise_xor, x ^ y)

static Status evaluate(Evaluation *run, Error *err) {
    static const Binary binary = {.loops = {LOOPS_WRAPPING(bitwise_xor)}};
    return binary_evaluate(run, &binary, err);
}

const OpDef op_tensor_bitwise_xor = {.infer = binary_infer, .evaluate = evaluate};
