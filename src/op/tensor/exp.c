// SPDX-License-Identifier: Apache-2.0
// Exp: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_exp = {0};
