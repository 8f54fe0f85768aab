// SPDX-License-Identifier: Apache-2.0
// Erf: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_erf = {0};
