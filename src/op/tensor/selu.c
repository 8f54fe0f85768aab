// SPDX-License-Identifier: Apache-2.0
// Selu: gamma x where x > 0, else gamma alpha (e^x - 1). {alpha=1.67326..., gamma=1.05070...}
#include <tgmath.h>

#include "op/tensor/unary.h"

UNARY_REAL_LOOPS(selu, b *(x > 0 ? x : a * expm1(x)))

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {
        .loops = {LOOPS_REAL(selu)},
        .a = "alpha",
        .a_missing = 1.67326319217681884765625,
        .b = "gamma",
        .b_missing = 1.05070102214813232421875,
    };
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_selu = {.infer = infer_first, .evaluate = evaluate};
