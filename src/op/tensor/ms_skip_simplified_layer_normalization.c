// SPDX-License-Identifier: Apache-2.0
// SkipSimplifiedLayerNormalization: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_ms_skip_simplified_layer_normalization = {0};
