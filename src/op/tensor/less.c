// SPDX-License-Identifier: Apache-2.0
// Less: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_less = {0};
