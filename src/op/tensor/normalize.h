// SPDX-License-Identifier: Apache-2.0
// Normalize: rows over the dimensions from an axis on, by their mean and variance or by their root mean square.
#pragma once

#include "op/tensor/evaluate.h"
#include "op/tensor/infer.h"

// y = (x - mean) / sqrt(variance + epsilon) * scale + bias; not centered: y = x / sqrt(mean of squares + epsilon) *
// scale. Inputs x, scale and, where centered, bias or nothing, which broadcast to x. {axis=-1, epsilon=1e-5,
// stash_type=1} Outputs y, then, where the node has them, the means (of centered ones) and the inverses of the root.
MUST_CHECK Status normalize_evaluate(Evaluation *run, bool centered, Error *err);
Status normalize_infer(const Node *node, ValueType *ret_types, Error *err);
