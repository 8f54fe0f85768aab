// SPDX-License-Identifier: Apache-2.0
// DequantizeLinear: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_dequantize_linear = {0};
