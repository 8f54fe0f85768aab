// SPDX-License-Identifier: Apache-2.0
// The 4-bit copy of a head and what its rows are wrong by.
#pragma once

#include "exec/plan.h"

typedef struct ScreenCopy {
    const Constant *weight; // the head's own, [n, k]
    WeightKind kind;        // of those: not WEIGHT_Q4
    size_t n, k, row_bytes;
    const float *bias;  // [n], or NULL
    float largest_bias; // magnitude
    float *differences; // [n] |w - w'|, rounded up
    float *norms;       // [n] the longer of |w| and |w'|, rounded up
} ScreenCopy;

// Makes the copy and a plan (states f32[P,k]) -> scores f32[P,n] over it. As screen_make.
MUST_CHECK Status screen_copy_make(Arena *arena, const Graph *head, const PlanSettings *settings, ScreenCopy *ret_copy,
                                   Plan **ret_plan, Error *err);
