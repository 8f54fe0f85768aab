// SPDX-License-Identifier: Apache-2.0
// MatMulNBits: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_ms_matmul_nbits = {0};
