// SPDX-License-Identifier: Apache-2.0
// PRelu: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_prelu = {0};
