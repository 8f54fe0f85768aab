// SPDX-License-Identifier: Apache-2.0
// Flatten: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_flatten = {0};
