// SPDX-License-Identifier: Apache-2.0
// Round: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_round = {0};
