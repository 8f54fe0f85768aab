// SPDX-License-Identifier: Apache-2.0
// Xor: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_xor = {0};
