// SPDX-License-Identifier: Apache-2.0
// Attention: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_ms_attention = {0};
