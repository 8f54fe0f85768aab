// SPDX-License-Identifier: Apache-2.0
// Joining: the requests that are being encoded together, from the moment they join to their first decode step. The
// encoder runs in slices between decode steps: step by step of its plan, which is finer than layer by layer, until a
// slice's time is over.
#pragma once

#include "engine/flight.h"
#include "engine/source_cache.h"

typedef struct Joining {
    Session *session;
    SourceCache *cache; // NULL: none
    Flight **flights;   // [most], those that wait for the batch's end
    size_t count;
    EncodeItem *items; // [most], of the sources that are encoded, each once
    Encoded **encoded; // [most] of the items, held until the batch's end: requests may leave while it is written
    size_t item_count;
    size_t next_step, steps; // of the encoder's plan
    size_t tokens, longest;
    double squares;        // the sum of squared lengths
    uint64_t hits, misses; // of the cache, so far
} Joining;

// `session` and `cache` are filled by the caller; lists for `most` requests live in `arena`.
MUST_CHECK Status joining_make(Arena *arena, Joining *joining, size_t most, Error *err);

// Opens the flight's source and adds it to the batch that is being gathered. *ret_encoded: it was there already, and
// the flight is no part of the batch.
MUST_CHECK Status joining_add(Joining *joining, Flight *flight, bool *ret_encoded, Error *err);

// Once all were added: the batch begins. On failure nothing of it can be read; the flights are the caller's to answer.
MUST_CHECK Status joining_begin(Joining *joining, Error *err);

// Runs the encoder until `budget_ns` are over (at least one step of its plan). True: the batch has ended.
bool joining_run(Joining *joining, uint64_t budget_ns);

// The flight waits no longer; its source may be closed at once.
void joining_leave(Joining *joining, const Flight *flight);

// The batch is over and empty. Unless it has run to its end, what it has put into the cache is forgotten.
void joining_end(Joining *joining);
