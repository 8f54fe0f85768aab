// SPDX-License-Identifier: Apache-2.0
// BitwiseAnd: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_bitwise_and = {0};
