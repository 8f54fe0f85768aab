// SPDX-License-Identifier: Apache-2.0
// Sigmoid: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_sigmoid = {0};
