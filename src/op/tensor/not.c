// SPDX-License-Identifier: Apache-2.0
// Not: of bool.
#include "op/tensor/unary.h"

UNARY_LOOP(not_bool, uint8_t, bool, !x)

static Status evaluate(Evaluation *run, Error *err) {
    static const Unary unary = {.loops = {[DTYPE_BOOL] = not_bool}};
    return unary_evaluate(run, &unary, err);
}

const OpDef op_tensor_not = {.infer = infer_first, .evaluate = evaluate};
