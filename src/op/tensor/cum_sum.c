// SPDX-License-Identifier: Apache-2.0
// CumSum: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_cum_sum = {0};
