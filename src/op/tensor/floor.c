// SPDX-License-Identifier: Apache-2.0
// Floor: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_floor = {0};
