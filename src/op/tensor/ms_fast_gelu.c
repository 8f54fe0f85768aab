// SPDX-License-Identifier: Apache-2.0
// FastGelu: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_ms_fast_gelu = {0};
