// SPDX-License-Identifier: Apache-2.0
// BitCast: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_bit_cast = {0};
