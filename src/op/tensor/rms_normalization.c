// SPDX-License-Identifier: Apache-2.0
// RMSNormalization: by the root of the mean of squares. {axis=-1, epsilon=1e-5, stash_type=1}
#include "op/tensor/normalize.h"

static Status evaluate(Evaluation *run, Error *err) {
    return normalize_evaluate(run, false, err);
}

const OpDef op_tensor_rms_normalization = {.infer = normalize_infer, .evaluate = evaluate};
