// SPDX-License-Identifier: Apache-2.0
// Range: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_range = {0};
