// SPDX-License-Identifier: Apache-2.0
// ReduceMin: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_reduce_min = {0};
