// SPDX-License-Identifier: Apache-2.0
// Gelu: x/2 (1 + erf(x / sqrt 2)).
#include "op/tensor/bias_activate.h"
#include "op/tensor/infer.h"

static Status evaluate(Evaluation *run, Error *err) {
    return bias_activate(run, ACTIVATION_GELU, err);
}

const OpDef op_tensor_ms_gelu = {.infer = infer_first, .evaluate = evaluate};
