// SPDX-License-Identifier: Apache-2.0
// Where: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_where = {0};
