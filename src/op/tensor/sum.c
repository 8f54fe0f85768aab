// SPDX-License-Identifier: Apache-2.0
// Sum: of all inputs.
#include "op/tensor/binary.h"

BINARY_REAL_LOOPS(sum, x + y)

static Status evaluate(Evaluation *run, Error *err) {
    static const Binary binary = {.loops = {LOOPS_REAL(sum)}};
    return binary_fold(run, &binary, err);
}

const OpDef op_tensor_sum = {.infer = binary_infer_fold, .evaluate = evaluate};
