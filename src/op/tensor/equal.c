// SPDX-License-Identifier: Apache-2.0
// Equal: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_equal = {0};
