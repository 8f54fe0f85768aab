// SPDX-License-Identifier: Apache-2.0
// LeakyRelu: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_leaky_relu = {0};
