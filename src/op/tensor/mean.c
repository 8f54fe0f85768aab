// SPDX-License-Identifier: Apache-2.0
// Mean: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_mean = {0};
