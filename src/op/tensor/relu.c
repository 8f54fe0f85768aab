// SPDX-License-Identifier: Apache-2.0
// Relu: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_relu = {0};
