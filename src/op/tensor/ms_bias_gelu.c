// SPDX-License-Identifier: Apache-2.0
// BiasGelu: gelu(a + b) by the error function, b a vector over a's last dimension.
#include "op/tensor/bias_activate.h"
#include "op/tensor/infer.h"

static Status evaluate(Evaluation *run, Error *err) {
    TRY(evaluate_same_type(run, 0, 1, err));
    return bias_activate(run, ACTIVATION_GELU, err);
}

const OpDef op_tensor_ms_bias_gelu = {.infer = infer_first, .evaluate = evaluate};
