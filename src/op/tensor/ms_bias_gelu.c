// SPDX-License-Identifier: Apache-2.0
// BiasGelu: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_ms_bias_gelu = {0};
