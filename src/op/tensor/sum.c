// SPDX-License-Identifier: Apache-2.0
// Sum: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_sum = {0};
