// SPDX-License-Identifier: Apache-2.0
// ReduceL2: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_reduce_l2 = {0};
