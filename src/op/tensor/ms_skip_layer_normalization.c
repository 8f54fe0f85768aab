// SPDX-License-Identifier: Apache-2.0
// SkipLayerNormalization: x + skip + bias, normalized. Inputs: x, skip, gain, beta or absent, bias or absent.
// {epsilon=1e-12}
#include "op/tensor/skip_norm.h"

static Status evaluate(Evaluation *run, Error *err) {
    return skip_norm(run, 3, 4, false, err);
}

const OpDef op_tensor_ms_skip_layer_normalization = {.infer = skip_norm_infer, .evaluate = evaluate};
