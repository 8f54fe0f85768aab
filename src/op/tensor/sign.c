// SPDX-License-Identifier: Apache-2.0
// Sign: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_sign = {0};
