// SPDX-License-Identifier: Apache-2.0
// Gather: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_gather = {0};
