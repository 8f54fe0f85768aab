// SPDX-License-Identifier: Apache-2.0
// NonZero: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_non_zero = {0};
