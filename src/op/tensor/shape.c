// SPDX-License-Identifier: Apache-2.0
// Shape: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_shape = {0};
