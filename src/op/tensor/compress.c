// SPDX-License-Identifier: Apache-2.0
// Compress: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_compress = {0};
