// SPDX-License-Identifier: Apache-2.0
// TopK: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_topk = {0};
