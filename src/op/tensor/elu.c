// SPDX-License-Identifier: Apache-2.0
// Elu: x where x >= 0, else alpha (e^x - 1). {alpha=1}
#include <math.h>

#include "op/tensor/unary.h"

static float single(float x, const UnaryArgs *args) {
    return x < 0 ? (float)args->a * expm1f(x) : x;
}

static double wide(double x, const UnaryArgs *args) {
    return x < 0 ? args->a * expm1(x) : x;
}

static Status evaluate(Evaluation *run, Error *err) {
    return unary_real(run, &(UnaryReal){.single = single, .wide = wide, .a = "alpha", .a_missing = 1}, err);
}

const OpDef op_tensor_elu = {.infer = infer_first, .evaluate = evaluate};
