// SPDX-License-Identifier: Apache-2.0
// Rotary: pairs of elements of each head turned by angles of their position, for both RotaryEmbeddings.
#pragma once

#include "op/tensor/attend.h"

typedef struct Rotary {
    AttendView x;
    size_t dim;             // elements of a head that turn: an even number, at most x.width; the others stay
    bool interleaved;       // pairs are neighbours; else an element of the first half with one of the second
    const float *cos, *sin; // [positions, dim / 2]
    size_t positions;
    const int64_t *at; // [batches, tokens] positions
    float *y;          // in x's layout
} Rotary;

// ERR_FORMAT naming a position outside the caches, or a `dim` that does not fit.
MUST_CHECK Status rotary_run(Evaluation *run, const Rotary *args, Error *err);

// Inputs `cos` and `sin` of one shape whose last dimension is half of what turns.
MUST_CHECK Status rotary_caches(Evaluation *run, size_t cos, size_t sin, int rank, Rotary *args, Error *err);
