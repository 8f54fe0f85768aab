// SPDX-License-Identifier: Apache-2.0
// MatMulInteger: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_matmul_integer = {0};
