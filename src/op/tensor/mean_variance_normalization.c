// SPDX-License-Identifier: Apache-2.0
// MeanVarianceNormalization: not yet
#include "op/tensor/evaluate.h"

const OpDef op_tensor_mean_variance_normalization = {0};
