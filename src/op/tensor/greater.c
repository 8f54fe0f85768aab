// SPDX-License-Identifier: Apache-2.0
// Greater: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_greater = {0};
