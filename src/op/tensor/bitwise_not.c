// SPDX-License-Identifier: Apache-2.0
// BitwiseNot: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_bitwise_not = {0};
