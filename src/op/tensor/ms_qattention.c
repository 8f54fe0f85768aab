// SPDX-License-Identifier: Apache-2.0
// QAttention: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_ms_qattention = {0};
