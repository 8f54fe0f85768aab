// SPDX-License-Identifier: Apache-2.0
// Walk: over a result of two or three operands that broadcast to it. Dimensions that all step through alike are taken
// together; the last of what remains is the run of a loop, the others are counted.
#pragma once

#include "op/tensor/evaluate.h"

enum { WALK_MOST = 3 };

// The result's dimensions, fewest possible, with the operands' steps in elements.
typedef struct Walk {
    int rank, operands;
    int64_t dims[SHAPE_MOST_DIMS], steps[WALK_MOST][SHAPE_MOST_DIMS];
} Walk;

Walk walk_make(const Shape *const *from, int operands, const Shape *to);

// `count` results from element `first` on: operand i begins at element at[i], steps[i] (the last of the walk's) apart.
typedef void WalkLoop(const void *context, const size_t *at, const size_t *steps, size_t first, size_t count);

void walk_run(const Evaluation *run, const Walk *walk, WalkLoop *loop, const void *context);

// Shape `with` joined into *shape, or a sentence.
MUST_CHECK Status walk_broadcast(const Evaluation *run, Shape *shape, const Shape *with, Error *err);
