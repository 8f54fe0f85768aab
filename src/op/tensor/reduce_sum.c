// SPDX-License-Identifier: Apache-2.0
// ReduceSum: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_reduce_sum = {0};
