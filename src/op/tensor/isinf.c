// SPDX-License-Identifier: Apache-2.0
// IsInf: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_isinf = {0};
