// SPDX-License-Identifier: Apache-2.0
// Cast: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_cast = {0};
