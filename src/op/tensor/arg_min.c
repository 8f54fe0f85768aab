// SPDX-License-Identifier: Apache-2.0
// ArgMin: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_arg_min = {0};
