// SPDX-License-Identifier: Apache-2.0
// Tile: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_tile = {0};
