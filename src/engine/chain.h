// SPDX-License-Identifier: Apache-2.0
// Chain: one sequence that grows a token at a time and is never compared with others: greedy and sampling.
#pragma once

#include "engine/choose.h"
#include "engine/rules.h"

typedef struct Chain {
    int32_t *history; // [max_length], the start token first
    size_t count;
    double *log_probabilities; // [max_length] of the tokens chosen, in their places
    bool done;
    Finish finish;
    Random random;
} Chain;

// `count` chains; each gets random numbers of its own from the options' seed. `rules` must outlive them.
MUST_CHECK Status chains_make(Arena *arena, const Rules *rules, size_t count, Chain **ret_chains, Error *err);

void chain_append(Chain *chain, const Rules *rules, int32_t token, double log_probability);

// The sum of log-probabilities of the tokens chosen.
double chain_score(const Chain *chain);

// Appends a token drawn for each from a row, processed and warped. False when the row has nothing to draw.
bool chains_extend_drawn(Chain *chains, size_t count, const Rules *rules, float *row);
