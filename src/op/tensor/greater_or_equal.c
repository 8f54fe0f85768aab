// SPDX-License-Identifier: Apache-2.0
// GreaterOrEqual: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_greater_or_equal = {0};
