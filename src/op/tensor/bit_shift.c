// SPDX-License-Identifier: Apache-2.0
// BitShift: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_bit_shift = {0};
