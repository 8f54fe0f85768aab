// SPDX-License-Identifier: Apache-2.0
// Engine: requests in, token sequences out. Greedy, beam search and sampling equal to Hugging Face's generate() (4.57)
// over one session, many requests of different lengths and options at once; they join and leave between steps. What a
// request gets does not depend on what runs beside it.
#pragma once

#include "exec/session.h"
#include "model/generation.h"

typedef struct Engine Engine;

typedef enum Finish { FINISH_STOP, FINISH_LENGTH } Finish;

typedef struct Sequence {
    const int32_t *ids; // as generate() returns them, without the decoder start token
    size_t count;
    double score; // beam: sequences_scores; else the sum of log-probabilities after the processors; NaN where a screen
                  // chose and the engine's scores are skipped
    Finish finish;
} Sequence;

// Plain data; `ids` and what options point to must stay until the answer.
typedef struct Request {
    const int32_t *ids;
    size_t count;
    GenerationOptions options;
    void *user; // handed back
} Request;

// The answer to a request: num_return_sequences sequences, or an error. Valid during the call of `done` only.
typedef struct Answer {
    void *user;
    const Sequence *sequences;
    size_t sequence_count;
    const Error *error; // NULL: fine
} Answer;

typedef struct EngineSettings {
    size_t most_requests;      // in flight
    size_t most_rows;          // beams of all requests in flight together; 0: most_requests * 8, at least 64
    size_t most_source_tokens; // of one encode step; 0: 4096, but no more than all requests may have together
    size_t most_positions;     // of a source or an output; 0: the model's
    KvKind kv_kind;            // how K and V are kept: 0 is f32
    const char *engine_cache;  // folder of packed weights (exec/engine_cache.h); NULL: none
    size_t kv_bytes;           // of the K/V pages, beyond what one request may need; 0: 1 GiB
    bool lm_head_screen;       // choose tokens by a screen of the head where that is proven (exec/screen.h)
    bool screen_greedy_only;   // beams do without it
    bool lookup_decoding;      // guess what greedy sequences go on with (engine/lookup.h)
    bool skips_scores;         // nobody reads the scores of greedy sequences: a screen need not find them
} EngineSettings;

// The session is made here, sized from the settings. `model` must outlive the engine.
MUST_CHECK Status engine_new(const SessionModel *model, const Kernels *kernels, Pool *pool,
                             const EngineSettings *settings, Engine **ret_engine, Error *err);
void engine_free(Engine *engine);

// What can be told of a request without an engine: its ids, options, and lengths against a model's positions.
// ERR_USAGE, ERR_LIMIT naming both numbers.
MUST_CHECK Status request_check(const Request *request, size_t positions, size_t vocabulary, Error *err);

// True when a request can be taken now (room among those in flight).
bool engine_has_room(const Engine *engine);

// Queues a request; ERR_LIMIT when full, request_check's errors and ERR_LIMIT at once for a request that can never run.
// `done` is called from engine_step.
MUST_CHECK Status engine_submit(Engine *engine, const Request *request, Error *err);

// Encodes what has joined, runs one decode step for all in flight, calls `done` for each that ended. False: nothing was
// left to do. A failure of the session fails all that run through `done`. `done` may submit where there is room.
bool engine_step(Engine *engine, void (*done)(void *context, const Answer *answer), void *context);

Session *engine_session(Engine *engine);

// What the two levers that change no output did so far.
typedef struct EngineCounts {
    uint64_t screened_rows;          // that went through the screen
    uint64_t unproven_rows;          // of those, the ones that needed the whole head in the end
    uint64_t rescored_words;         // candidates of all the others
    uint64_t greedy_steps;           // of each greedy sequence
    uint64_t guessed, guessed_right; // tokens
} EngineCounts;
EngineCounts engine_counts(const Engine *engine);

// Why the screen that was asked for is not there; NULL when it is, or was not asked for.
const char *engine_screen_refusal(const Engine *engine);
