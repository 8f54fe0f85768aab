// SPDX-License-Identifier: Apache-2.0
// GatherND: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_gather_nd = {0};
