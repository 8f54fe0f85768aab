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
    void *user;           // handed back, and what engine_cancel knows it by
    int priority;         // 0 most urgent .. 9 (engine/scheduler.h)
    uint64_t tenant;      // who asks: tenants share what there is
    uint64_t salt;        // what is cached of it is for requests of the same salt
    uint64_t deadline_ns; // by clock_ns; 0: none
} Request;

// clock_ns of what happened to a request; 0: it did not.
typedef struct AnswerTimes {
    uint64_t submitted_ns, joined_ns, encoded_ns, first_token_ns, ended_ns;
} AnswerTimes;

// The answer to a request: num_return_sequences sequences, or an error. Valid during the call of `done` only.
typedef struct Answer {
    void *user;
    const Sequence *sequences;
    size_t sequence_count;
    const Error *error; // NULL: fine. ERR_INTERRUPTED: cancelled, ERR_LATE: its deadline is past
    AnswerTimes times;
} Answer;

typedef struct EngineSettings {
    size_t most_requests;       // in flight: waiting, encoding and running
    size_t most_running;        // of these, encoding and running; 0: all
    size_t most_rows;           // beams of those that run; 0: most_running * 8, at least 64
    size_t most_source_tokens;  // of one encode step; 0: 4096, but no more than all requests may have together
    size_t most_waiting_tokens; // of requests that wait, outputs included; 0: any number
    bool slices_encoder;        // encoding gives way to decode steps, in small batches: for streams, not for throughput
    bool whole_batches;         // requests join together, when none runs: for models that pay for rows of unlike pasts
    uint64_t queue_delay_ns, ageing_ns, step_target_ns; // SchedulerSettings'
    size_t cached_sources;    // whose K/V may stay for another request (engine/source_cache.h); 0: none
    size_t most_positions;    // of a source or an output; 0: the model's
    KvKind kv_kind;           // how K and V are kept: 0 is f32
    const char *engine_cache; // folder of packed weights (exec/engine_cache.h); NULL: none
    size_t kv_bytes;          // of the K/V pages, beyond what one request may need; 0: 1 GiB
    bool lm_head_screen;      // choose tokens by a screen of the head where that is proven (exec/screen.h)
    bool screen_greedy_only;  // beams do without it
    bool lookup_decoding;     // guess what greedy sequences go on with (engine/lookup.h)
    bool skips_scores;        // nobody reads the scores of greedy sequences: a screen need not find them
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

// Queues a request; ERR_LIMIT when full, request_check's errors and ERR_LIMIT at once for a request that can never run,
// ERR_BUSY and ERR_LATE as scheduler_add.
// `done` is called from engine_step.
MUST_CHECK Status engine_submit(Engine *engine, const Request *request, Error *err);

// Encodes what has joined, runs one decode step for all in flight, calls `done` for each that ended. False: nothing was
// left to do. A failure of the session fails all that run through `done`. `done` may submit where there is room.
bool engine_step(Engine *engine, void (*done)(void *context, const Answer *answer), void *context);

// The request with this `user` is answered with ERR_INTERRUPTED in the next step, wherever it is by then; its rows and
// pages are free from then on. False: there is none.
bool engine_cancel(Engine *engine, const void *user);
void engine_cancel_all(Engine *engine);

// Who wants to hear of requests on their way: when they join, and of each new token where an answer is one sequence
// that only grows (greedy, or one sample): `ids` are all it has so far. Called from engine_step.
typedef struct EngineWatcher {
    void (*joined)(void *context, void *user);
    void (*tokens)(void *context, void *user, const int32_t *ids, size_t count);
    void *context;
} EngineWatcher;
void engine_watch(Engine *engine, EngineWatcher watcher);

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

// How it is doing. Pages that only the cache of sources holds count as free.
typedef struct EngineLoad {
    size_t waiting, waiting_tokens, encoding, running, rows, most_running;
    size_t pages, self_pages, cross_pages, cached_pages; // in all, and used so
    uint64_t cache_hits, cache_misses;
    uint64_t encode_batches, encode_tokens, decode_steps, decode_rows, new_tokens; // so far
    uint64_t padding_tokens; // that batches padded to their longest source would have encoded besides
    uint64_t encode_ns, decode_ns, head_ns, other_ns; // so far; head: of decode; other: of engine_step beside the model
    double predicted_ns, actual_ns;                   // of steps, by the scheduler's costs (engine/cost.h)
} EngineLoad;
EngineLoad engine_load(const Engine *engine);

// How long a request that came now would wait for its turn, as far as is known.
uint64_t engine_wait_ns(const Engine *engine);
// At most this many run at once from now on (1 to the settings' most_running).
void engine_set_most_running(Engine *engine, size_t most);

// Why the screen that was asked for is not there; NULL when it is, or was not asked for.
const char *engine_screen_refusal(const Engine *engine);
