// SPDX-License-Identifier: Apache-2.0
// Gelu: x/2 (1 + erf(x/sqrt 2)), or with a tanh near to it. {approximate=none | tanh}
#include <string.h>
#include <tgmath.h>

#include "op/tensor/unary.h"

UNARY_ACTIVATION_LOOP(gelu_f32, ACTIVATION_GELU)
UNARY_ACTIVATION_LOOP(gelu_tanh_f32, ACTIVATION_GELU_TANH)
UNARY_LOOP(gelu_f64, double, double, x / 2 * (1 + erf(x * M_SQRT1_2)))
UNARY_LOOP(gelu_tanh_f64, double, double, x / 2 * (1 + tanh(M_2_SQRTPI * M_SQRT1_2 * (x + 0.044715 * x * x * x))))

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary exact = {.loops = {LOOPS_REAL(gelu)}}, near = {.loops = {LOOPS_REAL(gelu_tanh)}};
    const char *approximate = node_text(run->node, "approximate", "none");
    if (strcmp(approximate, "none") != 0 && strcmp(approximate, "tanh") != 0)
        return FAIL(err, ERR_FORMAT, "%s: approximate is '%s', expected none or tanh", evaluate_name(run), approximate);
    return unary_evaluate(run, strcmp(approximate, "tanh") == 0 ? &near : &exact, err);
}

const OpDef op_tensor_gelu = {.infer = infer_first, .evaluate = evaluate};
