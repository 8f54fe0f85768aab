// SPDX-License-Identifier: Apache-2.0
// Size: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_size = {0};
