// SPDX-License-Identifier: Apache-2.0
// Softplus: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_softplus = {0};
