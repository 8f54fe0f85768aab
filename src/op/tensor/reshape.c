// SPDX-License-Identifier: Apache-2.0
// Reshape: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_reshape = {0};
