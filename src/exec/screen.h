// SPDX-License-Identifier: Apache-2.0
// Screen: finds the words that could have the largest logit without reading the whole head. A 4-bit copy of the head
// scores all words; a proven bound on what the copy is wrong by leaves a few candidates; their logits are computed from
// the head's own weights, to the bits that the head gives.
//
// The bound. For a state x, exact weights w and their 4-bit copy w', activations quantized to x^ (as the kernels do):
//
//     |logit - score| <= |x| |w - w'| + |x - x^| |w'| + rounding       heads of real weights
//     |logit - score| <= |x^| |w - w'|                + rounding       INT8 heads, which take the same x^
//
// by Cauchy and Schwarz, with the norms of each row's w - w' and of its longer one of w, w' kept (rounded up). Rounding
// is the standard bound on a chain of n operations (Higham, Accuracy and Stability, 3.1): gamma(n) = n u / (1 - n u),
// u = 2^-24, times the sum of magnitudes, here at most the product of norms plus |bias|; n = k + 2 for the head's chain
// over k inputs and its bias, 3 for an INT8 head, groups + 2 for the copy's. Underflow adds less than
// k 2^-130 (1 + scale of x^). The bound is worked out in double and f32, and enlarged by more than that may round.
//
//     screen_score     scores of all words, which the caller may lower to -infinity (words that are banned)
//     screen_select    candidates of one row; different rows on different threads
//     screen_rescore   their logits
//     screen_words     what was found
//
// One thread calls score and rescore; the pool's threads work. Nothing is allocated after screen_make.
#pragma once

#include "exec/plan.h"

typedef struct Screen Screen;

enum { SCREEN_GROUP = 32 }; // inputs to a scale of the copy

// Makes the copy of the linear that `head` (exec/session.h) is. Lives in `arena`; the graph must outlive it.
// ERR_UNSUPPORTED, saying why, for heads that cannot be screened or have nothing to gain: 4-bit ones, other operators,
// inputs that 32 does not divide, weights that are not finite.
MUST_CHECK Status screen_make(Arena *arena, const Graph *head, const Kernels *kernels, Pool *pool, size_t most_rows,
                              Screen **ret_screen, Error *err);

// Scores of rows `picks` [count] (at most most_rows) of `states` [.., inputs]; what screen_row gives is theirs.
void screen_score(Screen *screen, const float *states, const size_t *picks, size_t count);
float *screen_row(Screen *screen, size_t row); // [words], until the next screen_score

// Finds the candidates of a row: every word whose logit may be among the `best` largest of the words that were not
// lowered. False when that cannot be told, or they are too many to be worth it: the head must run.
bool screen_select(Screen *screen, size_t row, size_t best);

void screen_rescore(Screen *screen);

typedef struct ScreenWord {
    int32_t word;
    float logit;
} ScreenWord;

// The candidates of a row in ascending order; none where screen_select said false.
const ScreenWord *screen_words(const Screen *screen, size_t row, size_t *ret_count);

// For rows whose normalizer somebody asks for: keeps the scores, before any is lowered.
void screen_keep(Screen *screen, size_t row);

// After screen_rescore, of a kept row: what the max + log_sum that log_normalizer finds in all its logits, lowered ones
// too, lies within. The logits that were rescored are exact; the others may be anything within their bounds. Kernels
// round: exp and log by at most 8 ulp, x - max by half an ulp of at most 88, the sum by gamma(n / 16 + 4); once in the
// head's normalizer and once in the one found here. Uses up the row's scores. Different rows on different threads.
void screen_normalizer(Screen *screen, size_t row, double *ret_low, double *ret_high);

// What a row's logits lie within of its scores; infinite where nothing can be told. For tests.
float screen_bound(const Screen *screen, size_t row, size_t word);
