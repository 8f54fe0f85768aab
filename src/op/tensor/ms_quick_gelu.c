// SPDX-License-Identifier: Apache-2.0
// QuickGelu: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_ms_quick_gelu = {0};
