// SPDX-License-Identifier: Apache-2.0
// SimplifiedLayerNormalization: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_simplified_layer_normalization = {0};
