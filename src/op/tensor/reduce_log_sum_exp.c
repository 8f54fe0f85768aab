// SPDX-License-Identifier: Apache-2.0
// ReduceLogSumExp: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_reduce_log_sum_exp = {0};
