// SPDX-License-Identifier: Apache-2.0
// Slice: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_slice = {0};
