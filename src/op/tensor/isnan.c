// SPDX-License-Identifier: Apache-2.0
// IsNaN: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_isnan = {0};
