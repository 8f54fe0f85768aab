// SPDX-License-Identifier: Apache-2.0
// SkipLayerNormalization: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_ms_skip_layer_normalization = {0};
