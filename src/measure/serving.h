// SPDX-License-Identifier: Apache-2.0
// Serving: how an engine does under load, in this process and without a network: requests arrive, are answered, and
// what they waited is written down. The same loop finds the batch size, compares ways of batching, and tunes a server.
#pragma once

#include "engine/runtime.h"
#include "measure/lengths.h"

typedef struct ServingWork {
    const int32_t *const *sources; // [source_count], drawn from at random
    const size_t *source_lengths;
    size_t source_count;
    Lengths outputs;           // forced token by token, so that random weights serve as well as trained ones
    GenerationOptions options; // of every request, its length aside
    size_t requests;           // in all
    double rate;               // arrivals a second (Poisson); 0: all of them wait from the start
    size_t in_flight;          // 0: any number; else the next arrives when one of so many has ended
    size_t static_batch; // 0: requests join and leave at every step; else batches of so many run to their end, each
                         // taken from those that wait, sorted by source length
    bool static_whole;   // a batch computes all its rows until its longest output ends, as engines do whose rows cannot
                         // leave; what is computed beyond an output's length is not counted
    uint64_t seed;
} ServingWork;

// Throughput and shares are of the middle: from the end of the first fifth of the requests to that of the fourth, so
// that filling and emptying do not count. Latencies are of all.
typedef struct ServingFigures {
    double seconds, requests_per_s, tokens_per_s; // seconds: of all
    // Milliseconds: from arrival to the first token, between tokens of a request on average, and to the end.
    double first_token_ms[3], token_ms[3], request_ms[3]; // p50, p95, p99
    double gap_ms[3];                                     // between two tokens of a request, every one of them
    double rows_per_step, encode_share, other_share;      // shares of the time
    EngineLoad load;
} ServingFigures;

// `engine` was made for these sources; ids must stay until the end. `tell` may be NULL. ERR_LIMIT, ERR_MEMORY.
MUST_CHECK Status serving_run(Engine *engine, const ServingWork *work,
                              void (*tell)(void *context, uint64_t done, uint64_t total), void *context,
                              ServingFigures *ret, Error *err);
