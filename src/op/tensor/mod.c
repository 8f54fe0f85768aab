// SPDX-License-Identifier: Apache-2.0
// Mod: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_mod = {0};
