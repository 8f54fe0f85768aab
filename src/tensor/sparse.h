// SPDX-License-Identifier: Apache-2.0
// Tensors with many zeros, as hone stores them on request: a bit for every element and the values that are not zero.
//
//     X.bitmap  U8  [(elements + 7) / 8]   element i, row-major, is bit i % 8 of byte i / 8; 1: there is a value
//     X.values  any [ones]                 those values, in their order
//     X.shape   I64 [rank]                 of X
#pragma once

#include "tensor/tensor.h"

#define SPARSE_BITMAP ".bitmap"
#define SPARSE_VALUES ".values"
#define SPARSE_SHAPE ".shape"

// Puts X, dense and in `arena`, in the place of the three; *ret_count: how many there were. ERR_FORMAT names what is
// missing or does not fit.
MUST_CHECK Status sparse_expand(Arena *arena, Bundle *bundle, size_t *ret_count, Error *err);
