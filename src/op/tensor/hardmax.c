// SPDX-License-Identifier: Apache-2.0
// Hardmax: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_hardmax = {0};
