// SPDX-License-Identifier: Apache-2.0
// Tanh: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_tanh = {0};
