// SPDX-License-Identifier: Apache-2.0
// ScatterND: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_scatter_nd = {0};
