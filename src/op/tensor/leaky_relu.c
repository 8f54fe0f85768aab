// SPDX-License-Identifier: Apache-2.0
// LeakyRelu: x where x >= 0, else alpha x. {alpha=0.01}
#include "op/tensor/unary.h"

UNARY_REAL_LOOPS(leaky_relu, x < 0 ? a * x : x)

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {LOOPS_REAL(leaky_relu)}, .a = "alpha", .a_missing = 0.01};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_leaky_relu = {.infer = infer_first, .evaluate = evaluate};
