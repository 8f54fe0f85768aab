// SPDX-License-Identifier: Apache-2.0
// Mul: a b; integers wrap.
#include "op/tensor/binary.h"

BINARY_REAL_LOOPS(mul, x *y)
BINARY_UNSIGNED_LOOPS(mul, 1u * x * y)

static Status evaluate(Evaluation *run, Error *err) {
    static const Binary binary = {.loops = {LOOPS_REAL(mul), LOOPS_WRAPPING(mul)}};
    return binary_evaluate(run, &binary, err);
}

const OpDef op_tensor_mul = {.infer = binary_infer, .evaluate = evaluate};
