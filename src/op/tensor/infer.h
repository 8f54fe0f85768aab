// SPDX-License-Identifier: Apache-2.0
// Infer: what shape rules of tensor operators share. A rule says what it knows: an unknown type (rank -1) or dimension
// (DIM_UNKNOWN) is no error; values that decide shapes are known where they are constants.
#pragma once

#include "op/op.h"

ValueType type_unknown(void);
Dim dim_of(int64_t value);
Dim dim_unknown(void);
bool dim_is(Dim dim, int64_t value); // a constant of that value
bool dim_is_unknown(Dim dim);
bool dim_equal(Dim a, Dim b); // known to be the same

// Type of input `index`: unknown where it is absent or not known.
ValueType infer_type(const Node *node, size_t index);
// The same shape with another element type.
ValueType infer_as(ValueType type, DType dtype);
// dtype [dims...] of rank `rank`, all dimensions unknown.
ValueType infer_rank(DType dtype, int rank);

// What two shapes broadcast to, with a's element type; unknown where either is.
ValueType infer_broadcast(ValueType a, ValueType b);

// The rule of operators whose first output has the first input's type.
Status infer_first(const Node *node, ValueType *ret_types, Error *err);

// Integers of a constant input (i64 or i32, a list or a single one): false where it is no constant, or longer than
// `most`.
bool infer_ints(const Node *node, size_t index, size_t most, int64_t *ret_values, size_t *ret_count);

// An axis made positive; false where it lies outside.
bool infer_axis(int64_t axis, int rank, int *ret_axis);
