// SPDX-License-Identifier: Apache-2.0
// Ceil: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_ceil = {0};
