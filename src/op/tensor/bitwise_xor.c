// SPDX-License-Identifier: Apache-2.0
// BitwiseXor: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_bitwise_xor = {0};
