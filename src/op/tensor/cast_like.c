// SPDX-License-Identifier: Apache-2.0
// CastLike: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_cast_like = {0};
