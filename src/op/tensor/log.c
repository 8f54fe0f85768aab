// SPDX-License-Identifier: Apache-2.0
// Log: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_log = {0};
