// SPDX-License-Identifier: Apache-2.0
// ThresholdedRelu: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_thresholded_relu = {0};
