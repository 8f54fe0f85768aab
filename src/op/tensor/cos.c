// SPDX-License-Identifier: Apache-2.0
// Cos: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_cos = {0};
