// SPDX-License-Identifier: Apache-2.0
// MatMul: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_matmul = {0};
