// SPDX-License-Identifier: Apache-2.0
// GatherElements: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_gather_elements = {0};
