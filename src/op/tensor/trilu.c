// SPDX-License-Identifier: Apache-2.0
// Trilu: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_trilu = {0};
