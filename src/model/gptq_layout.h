// SPDX-License-Identifier: Apache-2.0
// Linears as AutoGPTQ and its successors keep them in 4 bits, "X" being the module's name:
//
//     X.qweight I32 [inputs / 8, outputs]      eight inputs to a word, the first in the lowest bits
//     X.qzeros  I32 [groups, outputs / 8]      zero points likewise, less 1 in files before "gptq_v2"
//     X.scales  real [groups, outputs]
//     X.g_idx   I32 [inputs]                   each input's group; may be missing: inputs / groups in a row
//
// and a weight is (code - zero point) * scale. Such weights are turned over: where every zero point is 8 and groups lie
// in a row they become compressed-tensors' X.weight_packed, X.weight_scale and X.weight_shape (tensor/four_bits.h),
// whose words are the same; any other becomes X.weight in f32.
#pragma once

#include "tensor/tensor.h"

// Whether the name is that of a weight's codes, or stands beside some.
bool gptq_is_codes(const Bundle *bundle, const char *name);
bool gptq_is_beside(const Bundle *bundle, const char *name);

enum { GPTQ_MOST_TENSORS = 3 };

// The tensors that take the place of `codes` and what is beside it; their data lives in `arena`. `zero_shift` is what
// zero points in the file lack. ERR_FORMAT for sizes that do not fit, groups that do not exist and scales that are not
// finite, naming the tensor.
MUST_CHECK Status gptq_turn(Arena *arena, const Bundle *bundle, const Tensor *codes, int zero_shift,
                            Tensor ret_tensors[GPTQ_MOST_TENSORS], size_t *ret_count, Error *err);
