// SPDX-License-Identifier: Apache-2.0
// Flight: one request from submission to answer: its rules, its search, and for each hypothesis the list of slots where
// the session keeps the past. Beams that change parents copy lists of slots, never keys or values.
//
// All its memory is taken in flight_prepare; a step takes none.
#pragma once

#include "engine/beam.h"
#include "engine/chain.h"

typedef struct Flight {
    Arena arena; // of this request; its newest chunk stays for the next one
    Request request;
    Rules rules;
    const int32_t *ids, *positions; // to encode, without padding; positions NULL: 0, 1, 2, ..
    size_t tokens;
    Source *source;    // NULL while waiting
    size_t hypotheses; // rows it may have in a step: beams, or sequences to sample
    size_t most_slots;
    bool started;
    size_t row_count; // of the step in progress
    int32_t *row_of;  // [hypotheses], the hypothesis of each of its rows
    int32_t *slots;   // [hypotheses, max_length]
    int32_t *next_slots;
    float *scratch;      // [hypotheses, max_length], or NULL without a repetition penalty
    bool *stuck;         // [hypotheses], nothing could be drawn
    Beam *beam;          // either this
    Chain *chains;       // or [hypotheses]
    Random random;       // of a beam search that samples
    Sequence *sequences; // [num_return_sequences]
} Flight;

// Readies a flight (arena initialised, empty) for a request whose options have been checked.
MUST_CHECK Status flight_prepare(Flight *flight, const Request *request, size_t vocabulary, Error *err);

// Writes its rows of the next step (at most `hypotheses`) and takes their slots.
size_t flight_rows(Flight *flight, DecodeRow *rows);

// Processes row `row` of its rows of this step. Different rows may be worked on by different threads.
void flight_work(Flight *flight, size_t row, const Kernels *kernels, float *logits);

// Ends the step after all its rows were worked on; `logits` is its first row. False: the answer is complete.
bool flight_advance(Flight *flight, float *logits);

// Fills flight->sequences, or fails where the options left nothing to draw.
MUST_CHECK Status flight_answer(Flight *flight, Error *err);
