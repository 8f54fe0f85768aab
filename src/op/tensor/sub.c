// SPDX-License-Identifier: Apache-2.0
// Sub: a - b; integers wrap.
#include "op/tensor/binary.h"

BINARY_REAL_LOOPS(sub, x - y)
BINARY_UNSIGNED_LOOPS(sub, x - y)

static Status evaluate(Evaluation *run, Error *err) {
    static const Binary binary = {.loops = {LOOPS_REAL(sub), LOOPS_WRAPPING(sub)}};
    return binary_evaluate(run, &binary, err);
}

const OpDef op_tensor_sub = {.infer = binary_infer, .evaluate = evaluate};
