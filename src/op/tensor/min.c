// SPDX-License-Identifier: Apache-2.0
// Min: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_min = {0};
