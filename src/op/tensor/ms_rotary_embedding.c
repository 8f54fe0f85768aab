// SPDX-License-Identifier: Apache-2.0
// RotaryEmbedding: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_ms_rotary_embedding = {0};
