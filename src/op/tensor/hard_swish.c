// SPDX-License-Identifier: Apache-2.0
// HardSwish: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_hard_swish = {0};
