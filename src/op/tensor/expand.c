// SPDX-License-Identifier: Apache-2.0
// Expand: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_expand = {0};
