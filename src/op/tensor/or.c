// SPDX-License-Identifier: Apache-2.0
// Or: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_or = {0};
