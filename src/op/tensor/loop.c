// SPDX-License-Identifier: Apache-2.0
// Loop: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_loop = {0};
