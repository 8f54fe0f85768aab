// SPDX-License-Identifier: Apache-2.0
// FastGelu: gelu(x + bias) by tanh; the bias may be absent.
#include "op/tensor/bias_activate.h"
#include "op/tensor/infer.h"

static Status evaluate(Evaluation *run, Error *err) {
    return bias_activate(run, ACTIVATION_GELU_TANH, err);
}

const OpDef op_tensor_ms_fast_gelu = {.infer = infer_first, .evaluate = evaluate};
