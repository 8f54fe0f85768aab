// SPDX-License-Identifier: Apache-2.0
// SkipSimplifiedLayerNormalization: x + skip + bias by the root of its mean square. Inputs: x, skip, gain, bias or
// absent. {epsilon=1e-12}
#include "op/tensor/skip_norm.h"

enum { NO_INPUT = 4 };

static Status evaluate(Evaluation *run, Error *err) {
    return skip_norm(run, NO_INPUT, 3, true, err);
}

const OpDef op_tensor_ms_skip_simplified_layer_normalization = {.infer = skip_norm_infer, .evaluate = evaluate};
