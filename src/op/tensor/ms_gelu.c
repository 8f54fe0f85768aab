// SPDX-License-Identifier: Apache-2.0
// Gelu: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_ms_gelu = {0};
