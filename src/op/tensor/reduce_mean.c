// SPDX-License-Identifier: Apache-2.0
// ReduceMean: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_reduce_mean = {0};
