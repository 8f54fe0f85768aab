// SPDX-License-Identifier: Apache-2.0
// ReduceSumSquare: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_reduce_sum_square = {0};
