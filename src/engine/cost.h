// SPDX-License-Identifier: Apache-2.0
// Cost: how long a piece of work takes on this machine now, learned from the pieces that ran: ns = c0 + c1 x1 + c2 x2,
// by recursive least squares that forget (Haykin, Adaptive Filter Theory, RLS). The scheduler asks it before a step.
#pragma once

#include <stdint.h>

enum { COST_TERMS = 3 };

// x1 and x2 of a piece of work, counted in units that make them about 1: COST_ENCODE_TOKENS, ...
typedef struct CostInput {
    double first, second;
} CostInput;

typedef struct Cost {
    double terms[COST_TERMS]; // ns
    double spread[COST_TERMS][COST_TERMS];
    uint64_t seen;
    double predicted_ns, actual_ns; // sums over what was learned from, each predicted before it was learned
} Cost;

void cost_init(Cost *cost);

// Nanoseconds; 0 until something was learned. Never negative, and never less for more work.
double cost_predict(const Cost *cost, CostInput input);
void cost_learn(Cost *cost, CostInput input, uint64_t ns);

// Encoding `tokens` of sources whose squared lengths sum up to `squares`; a decode step of `rows` that see `keys` K/V
// pairs together.
CostInput cost_encode_input(double tokens, double squares);
CostInput cost_decode_input(double rows, double keys);
