// SPDX-License-Identifier: Apache-2.0
// Split: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_split = {0};
