// SPDX-License-Identifier: Apache-2.0
// The values of a source tensor, piece by piece: what scores are made from before anything is written.
#pragma once

#include "compress/weights.h"

// Takes values [count], elements [first, first + count) of the tensor; count is a multiple of four but for the last.
typedef void SourceTake(void *context, size_t first, size_t count, const float *values);

// Gives all values of an F32, F16, BF16 or F64 tensor to `take`, in order; then their pages leave memory. ERR_FORMAT
// names the place of a value that is not finite.
MUST_CHECK Status source_values_each(const ModelInfo *info, const Tensor *tensor, SourceTake *take, void *context,
                                     Error *err);

// Looks at every real value of the model. ERR_FORMAT as above.
MUST_CHECK Status source_values_check(const Model *model, Error *err);

// How running the model over data ended (`status`, *err): where it failed and a weight is not finite, *err says that
// instead of what came of it.
Status source_values_explain(const Model *model, Status status, Error *err);
