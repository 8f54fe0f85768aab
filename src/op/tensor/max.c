// SPDX-License-Identifier: Apache-2.0
// Max: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_max = {0};
