// SPDX-License-Identifier: Apache-2.0
// Add: a + b; integers wrap.
#include "op/tensor/binary.h"

BINARY_REAL_LOOPS(add, x + y)
BINARY_UNSIGNED_LOOPS(add, x + y)

static Status evaluate(Evaluation *run, Error *err) {
    static const Binary binary = {.loops = {LOOPS_REAL(add), LOOPS_WRAPPING(add)}};
    return binary_evaluate(run, &binary, err);
}

const OpDef op_tensor_add = {.infer = binary_infer, .evaluate = evaluate};
