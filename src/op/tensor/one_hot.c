// SPDX-License-Identifier: Apache-2.0
// OneHot: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_one_hot = {0};
