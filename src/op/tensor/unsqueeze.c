// SPDX-License-Identifier: Apache-2.0
// Unsqueeze: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_unsqueeze = {0};
