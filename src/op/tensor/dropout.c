// SPDX-License-Identifier: Apache-2.0
// Dropout: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_dropout = {0};
