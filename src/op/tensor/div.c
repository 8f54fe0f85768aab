// SPDX-License-Identifier: Apache-2.0
// Div: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_div = {0};
