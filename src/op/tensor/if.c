// SPDX-License-Identifier: Apache-2.0
// If: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_if = {0};
