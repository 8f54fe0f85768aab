// SPDX-License-Identifier: Apache-2.0
// Einsum: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_einsum = {0};
