// SPDX-License-Identifier: Apache-2.0
// Sin: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_sin = {0};
