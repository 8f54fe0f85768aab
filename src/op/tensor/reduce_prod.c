// SPDX-License-Identifier: Apache-2.0
// ReduceProd: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_reduce_prod = {0};
