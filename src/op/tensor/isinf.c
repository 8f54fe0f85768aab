// SPDX-License-Identifier: Apache-2.0
// IsInf: whether x is infinity, -infinity. {detect_positive=1, detect_negative=1}
#include <math.h>

#include "op/tensor/unary.h"

#define IS_INF(x) ((a != 0 && (x) == (Type)INFINITY) || (b != 0 && (x) == -(Type)INFINITY))
UNARY_LOOP(isinf_f32, float, bool, IS_INF(x))
UNARY_LOOP(isinf_f64, double, bool, IS_INF(x))

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {
        .loops = {LOOPS_REAL(isinf)},
        .tests = true,
        .a = "detect_positive",
        .a_missing = 1,
        .b = "detect_negative",
        .b_missing = 1,
    };
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_isinf = {.infer = unary_infer_bool, .evaluate = evaluate};
