// SPDX-License-Identifier: Apache-2.0
// Head: from the states of a step to what its rows chose. Rows that a screen can decide never see all their logits; the
// others go through the whole head together. Log-probabilities that a screen left out are found at a request's end,
// from the states, over the same head: the same bits, since a row of a product does not depend on its neighbours.
#pragma once

#include "engine/flight.h"
#include "exec/screen.h"

// Which row of which flight a row of the step is.
typedef struct RowWork {
    Flight *flight;
    size_t row;
} RowWork;

typedef struct Head {
    Session *session;
    const Kernels *kernels;
    Pool *pool;
    Screen *screen; // NULL: none
    size_t vocabulary, width, most_rows;
    const RowWork *work; // of the step in progress
    const float *states;
    size_t *screened, screened_count; // [most_rows] rows of the step
    size_t *best;                     // [most_rows] of how many words the screened ask
    bool *proven;                     // [most_rows] of the screened
    GuessRow *guesses;                // [most_rows] of the screened, where they are beams'
    size_t *whole, whole_count;       // [most_rows] rows that need all their logits
    float *gathered;                  // [most_rows, width], or NULL without a screen
    float *logits;                    // of `whole`, in order
    Flight *settling;                 // whose kept states are in `logits`
    size_t settling_first;
    uint64_t spent_ns;                                   // so far, from states to what rows chose
    uint64_t screen_rows, screen_failures, screen_words; // so far; words: rescored
} Head;

// Everything of `head` that is not a count or a list is filled by the caller; the lists live in `arena`.
MUST_CHECK Status head_make(Arena *arena, Head *head, Error *err);

// Decodes `count` rows and lets every flight find what its rows chose. `ret_logits` [count]: for each row its logits
// after flight_work, NULL where a screen decided.
MUST_CHECK Status head_step(Head *head, const DecodeRow *rows, const RowWork *work, size_t count, float **ret_logits,
                            Error *err);

// The late log-probabilities of a flight that has ended.
MUST_CHECK Status head_settle(Head *head, Flight *flight, Error *err);
