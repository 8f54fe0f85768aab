// SPDX-License-Identifier: Apache-2.0
// ThresholdedRelu: x where x > alpha, else 0. {alpha=1}
#include "op/tensor/unary.h"

UNARY_REAL_LOOPS(thresholded_relu, x > a ? x : 0)

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(thresholded_relu)}, .a = "alpha", .a_missing = 1};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_thresholded_relu = {.infer = infer_first, .evaluate = evaluate};
