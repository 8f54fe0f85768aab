// SPDX-License-Identifier: Apache-2.0
// ReduceMax: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_reduce_max = {0};
