// SPDX-License-Identifier: Apache-2.0
// LogSoftmax: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_log_softmax = {0};
