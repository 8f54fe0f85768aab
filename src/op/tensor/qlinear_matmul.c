// SPDX-License-Identifier: Apache-2.0
// QLinearMatMul: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_qlinear_matmul = {0};
