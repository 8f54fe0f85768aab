// SPDX-License-Identifier: Apache-2.0
// Tan: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_tan = {0};
