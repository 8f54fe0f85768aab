// SPDX-License-Identifier: Apache-2.0
// RMSNormalization: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_rms_normalization = {0};
