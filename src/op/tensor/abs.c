// SPDX-License-Identifier: Apache-2.0
// Abs: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_abs = {0};
