// SPDX-License-Identifier: Apache-2.0
// Choosing: the best of a row without sorting it, and seeded draws from a row. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"

typedef struct Candidate {
    float value;
    int32_t beam, token;
} Candidate;

// A list of at most `most` candidates, best first; of equal ones, the first that came is first.
typedef struct Ranking {
    Candidate *items; // [most], the caller's
    size_t count, most;
} Ranking;

void ranking_add(Ranking *ranking, Candidate candidate);

// Replaces the ranking by the best of row[0..n) + offset (added in f32), of equal ones the lowest index first: what
// torch.topk gives for rows without ties.
void ranking_fill(Ranking *ranking, const float *row, size_t n, float offset, int32_t beam);

// Draws indices of values [count] with probabilities proportional to exp(value). Sums are kept by blocks, so that a
// draw reads one block and a draw without replacement need not sum up everything again.
enum { DRAW_BLOCKS = 256 };

typedef struct Draw {
    float *values;
    size_t count, block;
    double largest, total;
    double sums[DRAW_BLOCKS];
} Draw;

// False when no value is above -infinity.
bool draw_init(Draw *draw, float *values, size_t count);

// The logarithm of the probability of a value, before anything was taken out.
double draw_log_probability(const Draw *draw, float value);

// One draw with replacement.
size_t draw_one(const Draw *draw, Random *random);

// One draw without replacement: the value drawn is set to -infinity, what it was goes to ret_value. When nothing
// likely is left, false.
bool draw_out(Draw *draw, Random *random, size_t *ret_index, float *ret_value);
