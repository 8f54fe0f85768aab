// SPDX-License-Identifier: Apache-2.0
// Reciprocal: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_reciprocal = {0};
