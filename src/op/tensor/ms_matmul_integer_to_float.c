// SPDX-License-Identifier: Apache-2.0
// MatMulIntegerToFloat: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_ms_matmul_integer_to_float = {0};
