// SPDX-License-Identifier: Apache-2.0
// Completion: a call that generates: its sources, the jobs of their parts, and how its answer is told, at once or piece
// by piece. Inside the room only.
#pragma once

#include "serve/app.h"
#include "serve/detext.h"
#include "serve/results.h"

typedef struct CompletionSource {
    ApiSource source;
    Job **jobs; // [part_count], those that were submitted first
    size_t job_count;
    ApiResult result;
    bool has_result;
} CompletionSource;

// Where a stream is.
typedef struct Teller {
    size_t source, part;
    bool begun; // of the source's sequences
    Detext *detext;
    size_t taken; // tokens of the part's job
    Buffer text;  // of the source's answer so far
    size_t sent;  // bytes of it
    bool stopped; // a stop was met: nothing more is told of this source
} Teller;

typedef struct Completion {
    Visit *visit;
    ApiCall call;
    ApiMeta meta;
    uint64_t salt; // of the encoder cache
    CompletionSource *sources;
    size_t source_count;
    pthread_mutex_t lock;  // of the list of sources and their lists of jobs
    atomic_bool left;      // nobody wants the answer any more
    atomic_bool cancelled; // by an explicit request
    atomic_bool ended;     // the whole answer was given
    Error failure;         // for the log; status OK: none
    Teller teller;
} Completion;

// The result of a source whose jobs have ended; of jobs that were cancelled, what they had by then. The failure of one
// that failed otherwise.
MUST_CHECK Status completion_result(Completion *completion, CompletionSource *source, Error *err);

// Whether every job of the source has ended.
bool completion_source_ended(const CompletionSource *source);

void completion_cancel_jobs(Completion *completion);

// Goes on with an answer that is told at once but may end at a stop: its jobs are cancelled when one is met.
// *ret_waits: there is more to come.
MUST_CHECK Status completion_follow(Completion *completion, bool *ret_waits, Error *err);

// `read` of exchange_stream; the context is the completion.
StreamState completion_tell(void *completion, Buffer *out);
