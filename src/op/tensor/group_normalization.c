// SPDX-License-Identifier: Apache-2.0
// GroupNormalization: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_group_normalization = {0};
