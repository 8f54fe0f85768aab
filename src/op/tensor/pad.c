// SPDX-License-Identifier: Apache-2.0
// Pad: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_pad = {0};
