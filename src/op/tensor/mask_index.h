// SPDX-License-Identifier: Apache-2.0
// Mask index: the masks of ONNX Runtime's attention operators, in all their shapes, as a bias of mask_filter_value.
#pragma once

#include "op/tensor/attend.h"

// Input `index`, integers, for `queries` of the last of `keys` tokens:
//   [batches] valid keys, [2 * batches] ends and then starts, [3 * batches + 2] valid keys and then what is not needed;
//   [batches, keys], [batches, queries, keys], [batches, 1, most, most]: 0 where a key is masked; [batches or 1, 1]:
//   all
// Nothing where it is absent.
MUST_CHECK Status mask_index(Evaluation *run, size_t index, size_t batches, size_t queries, size_t keys,
                             AttendBias *ret, Error *err);
