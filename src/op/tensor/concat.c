// SPDX-License-Identifier: Apache-2.0
// Concat: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_concat = {0};
