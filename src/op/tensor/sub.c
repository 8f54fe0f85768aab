// SPDX-License-Identifier: Apache-2.0
// Sub: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_sub = {0};
