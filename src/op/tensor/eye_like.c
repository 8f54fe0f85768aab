// SPDX-License-Identifier: Apache-2.0
// EyeLike: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_eye_like = {0};
