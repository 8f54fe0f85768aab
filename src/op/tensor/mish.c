// SPDX-License-Identifier: Apache-2.0
// Mish: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_mish = {0};
