// SPDX-License-Identifier: Apache-2.0
// Softmax: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_softmax = {0};
