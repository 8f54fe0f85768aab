// SPDX-License-Identifier: Apache-2.0
// LayerNormalization: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_layer_normalization = {0};
