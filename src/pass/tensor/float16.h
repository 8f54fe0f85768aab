// SPDX-License-Identifier: Apache-2.0
// Float16: which nodes of a graph may compute in half precision. Asked before anything is changed; nodes go by their
// places at that time.
#pragma once

#include "pass/tensor/match.h"

enum { FLOAT16_MOST = 65504, FLOAT16_MASKED = -30000 };

typedef struct Float16Kinds {
    DType **dtypes; // [node][output] element types as the graph has them
    bool **data;    // [node][output] comes from weights or inputs, and is no arithmetic of places and masks alone
    bool *exact;    // [node] an angle in the making, whose error would grow with the position
} Float16Kinds;

MUST_CHECK Status float16_kinds(const Graph *graph, Arena *scratch, Float16Kinds *ret, Error *err);

// Whether the operator computes in f32 whatever its inputs are.
bool float16_keeps_f32(OpCode op);
// Element type of an input, as the graph had it; `place`: that of value.node, if it has one.
DType float16_dtype(const Float16Kinds *kinds, Value value, size_t place);
// Whether a value is f32 and data; constants are where they have more than one element.
bool float16_is_data(const Float16Kinds *kinds, Value value, size_t place);

// An f32 constant in f16: what is larger than f16 can hold becomes the largest, what is smaller than its smallest
// number that one, and numbers that stand for minus infinity `masked`.
MUST_CHECK Status float16_constant(Graph *graph, const Constant *constant, double masked, Value *ret, Error *err);
// The constant in f32, numbers that stand for minus infinity becoming FLOAT16_MASKED; as it is where it has none.
MUST_CHECK Status float16_masks(Graph *graph, const Constant *constant, Value *ret, Error *err);
