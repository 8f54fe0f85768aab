// SPDX-License-Identifier: Apache-2.0
// Not: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_not = {0};
