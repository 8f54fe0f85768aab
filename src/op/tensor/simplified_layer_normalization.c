// SPDX-License-Identifier: Apache-2.0
// SimplifiedLayerNormalization: RMSNormalization by its older name, with the inverse root as a second output. {axis=-1,
// epsilon=1e-5, stash_type=1}
#include "op/tensor/normalize.h"

static Status evaluate(Evaluation *run, Error *err) {
    return normalize_evaluate(run, false, err);
}

const OpDef op_tensor_simplified_layer_normalization = {.infer = normalize_infer, .evaluate = evaluate};
