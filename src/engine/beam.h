// SPDX-License-Identifier: Apache-2.0
// Beam search as a state machine without a model: rows of log-probabilities go in, and for each beam of the next step
// come its parent and its history. Equal to transformers 4.57's vectorised _beam_search for a batch of one, in its f32
// arithmetic:
//
//   for each beam b:  beam_rate(beam, b, row)      row = processed log-probabilities after beam_history(beam, b)
//   beam_advance(beam)                             false: finished; beam_result(beam, i)
//
// or, with sampling, beam_draw instead of the beam_rate calls. At the start all beams have the same history and only
// the first has any weight, so one row may serve them all.
#pragma once

#include "engine/choose.h"
#include "engine/rules.h"

// A sequence that ended, or the placeholder of one that has not yet.
typedef struct Hypothesis {
    int32_t *ids; // without the start token
    size_t count;
    float score; // sum of log-probabilities / count ^ length_penalty
    bool finished;
    Finish finish;
} Hypothesis;

typedef struct Beam {
    const Rules *rules;
    size_t beams, keep; // candidates of a step: enough that `beams` of them do not end
    size_t length;      // of all running histories, start token included
    int32_t *history;   // [beams, max_length]
    int32_t *next_history;
    float *scores;         // [beams]
    int32_t *parents;      // [beams], of the last beam_advance
    Ranking *rated;        // [beams], each of `keep` candidates
    float *rated_values;   // [beams, keep], for beam_rate_logits
    int32_t *rated_tokens; // [beams, keep]
    Ranking top;           // [keep], of all beams together
    Ranking pick;          // [keep], for choosing among candidates by a changed score
    bool *ended;           // [keep], which of `top` end their sequence
    Finish *finishes;      // [keep]
    Hypothesis *finished;  // [beams], best first
    Hypothesis *displaced; // [beams], the other bank
} Beam;

// `rules` must outlive it.
MUST_CHECK Status beam_make(Arena *arena, const Rules *rules, Beam **ret_beam, Error *err);

const int32_t *beam_history(const Beam *beam, size_t index);

// Rates the continuations of one beam. Different beams may be rated by different threads.
void beam_rate(Beam *beam, size_t index, const float *log_probabilities);

// The same from logits and the normalizer they had before any was set to -infinity: the same candidates, bit for bit,
// without writing the log-probabilities.
void beam_rate_logits(Beam *beam, size_t index, const Kernels *kernels, const float *logits, LogNormalizer normalizer);

// Draws the continuations of all beams from rows [beams, vocabulary] (`one_row` at the start: [vocabulary], beam 0's).
// The rows are used up. False when nothing can be drawn.
bool beam_draw(Beam *beam, float *rows, bool one_row, Random *random);

// One step. False: the search is over.
bool beam_advance(Beam *beam);

// The index-th best, index < num_return_sequences.
const Hypothesis *beam_result(const Beam *beam, size_t index);
