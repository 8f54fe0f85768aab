// SPDX-License-Identifier: Apache-2.0
// Sqrt: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_sqrt = {0};
