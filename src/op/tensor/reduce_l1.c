// SPDX-License-Identifier: Apache-2.0
// ReduceL1: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_reduce_l1 = {0};
