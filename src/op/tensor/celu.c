// SPDX-License-Identifier: Apache-2.0
// Celu: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_celu = {0};
