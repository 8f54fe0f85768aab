// SPDX-License-Identifier: Apache-2.0
// QuantizeLinear: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_quantize_linear = {0};
