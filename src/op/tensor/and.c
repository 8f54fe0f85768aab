// SPDX-License-Identifier: Apache-2.0
// And: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_and = {0};
