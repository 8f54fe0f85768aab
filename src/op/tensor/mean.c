// SPDX-License-Identifier: Apache-2.0
// Mean: of all inputs, element by element.
#include "op/tensor/binary.h"

BINARY_REAL_LOOPS(mean, x + y)

static Status evaluate(Evaluation *run, Error *err) {
    static const Binary binary = {.loops = {LOOPS_REAL(mean)}, .averages = true};
    return binary_fold(run, &binary, err);
}

const OpDef op_tensor_mean = {.infer = binary_infer_fold, .evaluate = evaluate};
