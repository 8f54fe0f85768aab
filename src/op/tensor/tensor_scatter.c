// SPDX-License-Identifier: Apache-2.0
// TensorScatter: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_tensor_scatter = {0};
