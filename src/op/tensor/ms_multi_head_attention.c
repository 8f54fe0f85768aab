// SPDX-License-Identifier: Apache-2.0
// MultiHeadAttention: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_ms_multi_head_attention = {0};
