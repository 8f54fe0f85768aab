// SPDX-License-Identifier: Apache-2.0
// ScatterElements: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_scatter_elements = {0};
