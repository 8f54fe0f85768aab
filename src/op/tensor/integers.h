// SPDX-License-Identifier: Apache-2.0
// Integers of every width as 64 bits: signed ones with their sign, so that the same bits are an int64_t and, modulo
// 2^64, a uint64_t. Sums and products computed in uint64_t and narrowed again wrap as they would in the type itself.
#pragma once

#include "op/tensor/evaluate.h"

// An input of an integer type or bool, in the run's scratch; i64 and u64 are used as they are.
MUST_CHECK Status integers_widen(Evaluation *run, size_t index, const uint64_t **ret_values, Error *err);
// The low bits of each; of bool: whether it is not 0.
void integers_narrow(DType dtype, const uint64_t *values, size_t count, void *ret_elements);

// Reals become integers: towards zero, those out of range the nearest that the type has, NaN 0.
void integers_truncate(DType dtype, const double *values, size_t count, uint64_t *ret_values);

// The ends of an integer type or bool, as 64 bits.
uint64_t integer_lowest(DType dtype);
uint64_t integer_highest(DType dtype);
