// SPDX-License-Identifier: Apache-2.0
// Skip norm: sums of rows, normalized: SkipLayerNormalization and SkipSimplifiedLayerNormalization.
#pragma once

#include "op/tensor/infer.h"
#include "op/tensor/wide.h"

// Inputs 0 x, 1 skip (x's shape, or the end of it that repeats), 2 gain; `beta` (absent: none) and `bias` by their
// index. Outputs: y; mean and inverse deviation of each row; x + skip + bias. Simplified: by the root of the mean
// square, nothing subtracted, mean 0.
MUST_CHECK Status skip_norm(Evaluation *run, size_t beta, size_t bias, bool simplified, Error *err);
Status skip_norm_infer(const Node *node, ValueType *ret_types, Error *err);
