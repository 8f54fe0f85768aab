// SPDX-License-Identifier: Apache-2.0
// Mul: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_mul = {0};
