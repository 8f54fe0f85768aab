// SPDX-License-Identifier: Apache-2.0
// Neg: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_neg = {0};
