// SPDX-License-Identifier: Apache-2.0
// DynamicQuantizeLinear: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_dynamic_quantize_linear = {0};
