// SPDX-License-Identifier: Apache-2.0
// BitwiseOr: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_bitwise_or = {0};
