// SPDX-License-Identifier: Apache-2.0
// Swish: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_swish = {0};
