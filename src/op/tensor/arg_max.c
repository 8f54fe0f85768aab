// SPDX-License-Identifier: Apache-2.0
// ArgMax: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_arg_max = {0};
