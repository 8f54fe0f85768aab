// SPDX-License-Identifier: Apache-2.0
// ConstantOfShape: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_constant_of_shape = {0};
