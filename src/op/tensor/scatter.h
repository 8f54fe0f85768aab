// SPDX-License-Identifier: Apache-2.0
// Scatter: what the scattering operators share: where an index tensor's elements point to, and how an update meets what
// is there.
#pragma once

#include "op/tensor/move.h"

// For each element of input 1, whose places correspond to those of input 0 except along `axis`, the element of input 0
// that it names, in the run's scratch. ERR_FORMAT where its shape reaches beyond input 0's, or an index lies outside.
MUST_CHECK Status along_axis_places(Evaluation *run, int axis, int64_t **ret_places, Error *err);

// Input 1's last dimension are indices into the dimensions of input 0 after the first `batch` ones, which both have in
// common: for each such tuple the first element of what it names, and how many elements that is.
MUST_CHECK Status tuple_places(Evaluation *run, int batch, int64_t **ret_places, size_t *ret_count, size_t *ret_block,
                               Error *err);

// Attribute `reduction`: none, add, mul, max, min.
typedef enum Reduction { REDUCTION_NONE, REDUCTION_ADD, REDUCTION_MUL, REDUCTION_MAX, REDUCTION_MIN } Reduction;

// Output 0 is input 0 with input 2's blocks of `block` elements put, one after another, to `places`.
MUST_CHECK Status scatter_output(Evaluation *run, const int64_t *places, size_t count, size_t block, Error *err);
