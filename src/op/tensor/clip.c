// SPDX-License-Identifier: Apache-2.0
// Clip: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_clip = {0};
