// SPDX-License-Identifier: Apache-2.0
// Beam search ahead of its scores. A screen gives the exact logits of a row's best words, but only an interval for the
// row's normalizer, so a beam's score is an interval too. While those intervals prove which continuations are the best
// and in which order, the search goes on with them; states are kept, and a catch-up later takes the same steps with all
// logits, which makes every score exact. Whatever is not proven is left to the catch-up: the first step, sequences that
// end, candidates too close together.
#pragma once

#include "engine/beam.h"
#include "exec/screen.h"

enum { GUESS_MOST_STEPS = 16 }; // ahead

typedef struct BeamGuess {
    const Rules *rules;
    size_t beams, width;
    size_t steps;     // ahead of the search
    size_t resting;   // steps to leave alone after guesses that failed
    size_t failures;  // in a row
    size_t length;    // of the histories below
    int32_t *history; // [beams, max_length]
    int32_t *next_history;
    int32_t *parents;   // [beams] of the last step
    double *low, *high; // [beams] what the scores lie within
    double *next_low, *next_high;
    float *states; // [GUESS_MOST_STEPS, beams, width]
} BeamGuess;

// What a screen found of one beam: its best beams + 1 words are among `words`; low <= max + log_sum <= high.
typedef struct GuessRow {
    const ScreenWord *words;
    size_t count;
    double low, high;
    const float *state;
} GuessRow;

MUST_CHECK Status beam_guess_make(Arena *arena, const Rules *rules, size_t width, BeamGuess **ret_guess, Error *err);

// Whether a step may be guessed: the search has begun, and nothing of it can end but by a token.
bool beam_guess_ready(BeamGuess *guess, const Beam *beam);

const int32_t *beam_guess_history(const BeamGuess *guess, size_t index);

// One more step ahead, from rows [beams] (NULL: a row's words are not known); false, and nothing changed, where it
// cannot be proven. After several failures the next steps are left alone.
bool beam_guess_advance(BeamGuess *guess, const GuessRow *rows);

// The search has caught up.
void beam_guess_reset(BeamGuess *guess);
