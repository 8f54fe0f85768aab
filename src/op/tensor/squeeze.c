// SPDX-License-Identifier: Apache-2.0
// Squeeze: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_squeeze = {0};
