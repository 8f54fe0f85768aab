// SPDX-License-Identifier: Apache-2.0
// Gemm: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_gemm = {0};
