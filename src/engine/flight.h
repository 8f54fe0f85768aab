// SPDX-License-Identifier: Apache-2.0
// Flight: one request from submission to answer: its rules, its search, and for each hypothesis the list of slots where
// the session keeps the past. Beams that change parents copy lists of slots, never keys or values.
//
// All its memory is taken in flight_prepare; waiting takes none, and a step takes none.
#pragma once

#include "engine/beam_guess.h"
#include "engine/chain.h"
#include "engine/lookup.h"
#include "engine/scheduler.h"

// What the engine can do for a greedy sequence.
typedef struct FlightSettings {
    size_t vocabulary, width; // width: of a state
    bool screens;             // tokens may be chosen without the log-probabilities
    bool screens_beams;       // those of beams too
    bool skips_scores;        // which nobody reads then
    bool guesses;             // several tokens in a step (engine/lookup.h)
} FlightSettings;

// What a row of a greedy sequence found.
typedef struct Pick {
    int32_t token;
    double log_probability;
    const float *state; // not NULL: the log-probability is still to be found, from this
} Pick;

typedef struct Flight {
    Ticket ticket;
    AnswerTimes times;
    bool cancelled, prepared;
    size_t told; // tokens that the engine's watcher has heard of
    Arena arena; // of this request, once prepared
    Request request;
    Rules rules;
    bool padded;                    // tokens of the request are left out
    const int32_t *ids, *positions; // to encode, without padding; positions NULL: 0, 1, 2, ..
    size_t tokens;
    Source *source;    // NULL while waiting
    size_t hypotheses; // rows it has in a step: beams, or sequences to sample
    size_t most_slots;
    bool started;
    size_t row_count; // of the step in progress
    int32_t *row_of;  // [hypotheses], the hypothesis of each of its rows
    int32_t *slots;   // [hypotheses, max_length]
    int32_t *next_slots;
    float *scratch;      // [rows, max_length], or NULL without a repetition penalty
    bool *stuck;         // [hypotheses], nothing could be drawn
    Beam *beam;          // either this
    BeamGuess *guess;    // ahead of it; NULL without a screen
    bool guess_held;     // in the step in progress
    Chain *chains;       // or [hypotheses]
    Random random;       // of a beam search that samples
    Sequence *sequences; // [num_return_sequences]
    // Of a greedy sequence. In a step that guesses, row r follows the history and its first r guesses, which lie behind
    // it; slots of guesses that were wrong are written again.
    FlightSettings settings;
    bool greedy;
    Pick picks[1 + LOOKUP_MOST];
    size_t guess_most, slots_taken;
    size_t guessed, guessed_right; // so far
    size_t late_count;             // tokens without log-probabilities yet
    int32_t *late;                 // [max_length] their places
    float *late_states;            // [max_length, width], NULL where nobody asks
} Flight;

// What is known of a request without memory for it: its tokens, rows and slots. Its options have been checked.
void flight_measure(Flight *flight, const Request *request, const FlightSettings *settings);

// Readies a measured flight; its arena is empty.
MUST_CHECK Status flight_prepare(Flight *flight, Error *err);

// Writes its rows of the next step, at most `hypotheses` and `spare` for guesses, and takes their slots.
size_t flight_rows(Flight *flight, size_t spare, DecodeRow *rows);

// Whether a screen may choose in this step, and of how many words of a row: 0, no. Greedy sequences and beams, as long
// as nothing but bans changes scores. Once a step, after flight_rows.
size_t flight_screens(Flight *flight);

// Instead of flight_work: bans on the scores of row `row`, and what was chosen then. States stay until the next step.
void flight_screen(Flight *flight, size_t row, float *scores);
void flight_take(Flight *flight, size_t row, int32_t token, const float *state);

// What a screen found of all its beams; NULL: too little. False: the search has to catch up (the states in
// flight->guess through flight_work and flight_catch_up, step by step), and then to work on the rows of this step.
bool flight_guess(Flight *flight, const GuessRow *rows);

// Ends a guessed step after flight_work of its rows [beams].
void flight_catch_up(Flight *flight);

// The log-probability of the `index`-th late token, from the logits of its late state.
void flight_settle(Flight *flight, size_t index, const Kernels *kernels, float *logits);

// Processes row `row` of its rows of this step. Different rows may be worked on by different threads.
void flight_work(Flight *flight, size_t row, const Kernels *kernels, float *logits);

// Ends the step after all its rows were worked on; `logits` is its first row. False: the answer is complete.
bool flight_advance(Flight *flight, float *logits);

// What it has so far, where it is one sequence that only grows (greedy, or one sample); else nothing.
const int32_t *flight_tokens(const Flight *flight, size_t *ret_count);

// K/V pairs its rows of the step in progress see: source and past.
size_t flight_keys(const Flight *flight);

// Fills flight->sequences, or fails where the options left nothing to draw.
MUST_CHECK Status flight_answer(Flight *flight, Error *err);
