// SPDX-License-Identifier: Apache-2.0
// LayerNormalization: outputs y and, where wanted, Mean and InvStdDev. {axis=-1, epsilon=1e-5, stash_type=1}
#include "op/tensor/normalize.h"

static Status evaluate(Evaluation *run, Error *err) {
    return normalize_evaluate(run, true, err);
}

const OpDef op_tensor_layer_normalization = {.infer = normalize_infer, .evaluate = evaluate};
