// SPDX-License-Identifier: Apache-2.0
// LessOrEqual: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_less_or_equal = {0};
