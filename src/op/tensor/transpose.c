// SPDX-License-Identifier: Apache-2.0
// Transpose: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_transpose = {0};
