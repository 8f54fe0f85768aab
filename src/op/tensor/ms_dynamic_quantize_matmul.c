// SPDX-License-Identifier: Apache-2.0
// DynamicQuantizeMatMul: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_ms_dynamic_quantize_matmul = {0};
