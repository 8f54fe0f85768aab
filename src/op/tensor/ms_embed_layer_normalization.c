// SPDX-License-Identifier: Apache-2.0
// EmbedLayerNormalization: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_ms_embed_layer_normalization = {0};
