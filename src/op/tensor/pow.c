// SPDX-License-Identifier: Apache-2.0
// Pow: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_pow = {0};
