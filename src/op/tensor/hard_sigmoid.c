// SPDX-License-Identifier: Apache-2.0
// HardSigmoid: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_hard_sigmoid = {0};
