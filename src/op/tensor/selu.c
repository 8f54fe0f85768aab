// SPDX-License-Identifier: Apache-2.0
// Selu: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_selu = {0};
