// SPDX-License-Identifier: Apache-2.0
// Bench: times calls of models over one workload. Each model lives in a process of its own (so that its memory is its
// own), loads once, and runs a call whenever it is told to: several models take turns, call by call, and share the
// noise.
//
//     BenchWork work = {...};
//     TRY(bench_start("models/a", &work, &bench[0], err));
//     for each round: for each model: TRY(bench_call(bench[m], batch_index, &ns, err));
//     TRY(bench_finish(bench[m], &report, err));
//     bench_free(bench[m]);
#pragma once

#include "engine/runtime.h"
#include "measure/data.h"

typedef struct BenchWork {
    const int32_t **sources;   // [samples], in the order in which they are batched
    size_t *lengths, *numbers; // of each: its tokens; its place in the data, from 1
    size_t samples, batch;     // the last batch may be smaller
    GenerationChange *options; // changes the model's own options; NULL: nothing
    const void *context;
    size_t digest_leaves_out; // last tokens of each output that the digest ignores
    bool skips_limit;         // limit_ms stays 0: measuring this machine takes a second, and it is of hone's own graphs
    RuntimeSettings runtime;
} BenchWork;

typedef struct Bench Bench;

// What a model tells when it ends.
typedef struct BenchReport {
    double load_ms, weights_mb;
    double rss_mb, peak_rss_mb; // of its process, without what the caller's had
    double kv_token_kb;         // K and V of one token, all layers
    size_t vocabulary;
    RuntimeSettings runtime;                // as it ran: the model's advice followed
    EngineCounts counts;                    // over all calls, warm-up included
    char screen_refusal[256];               // why there is no screen of the head; empty: nothing to say
    double limit_ms;                        // per sample, as measure/limit.h has it
    size_t new_tokens[32], new_token_kinds; // distinct output lengths, ascending
    char digest[13];                        // of all outputs: sha256 of Python's json.dumps, first 12 digits
} BenchReport;

// Fills sources, lengths, numbers, samples and batch from rows that have ids: as they come for a batch of one, else
// sorted by length, so that a batch pads little. The ids stay the rows'.
MUST_CHECK Status bench_work_fill(Arena *arena, const DataSet *set, size_t batch, BenchWork *work, Error *err);

// Starts a process and loads the model in it. Fails as opening and loading do.
MUST_CHECK Status bench_start(const char *model, const BenchWork *work, Bench **ret_bench, Error *err);

size_t bench_batches(const BenchWork *work);

// Runs batch `index` there; the time is taken inside that process, ids in to ids out.
MUST_CHECK Status bench_call(Bench *bench, size_t index, uint64_t *ret_ns, Error *err);
MUST_CHECK Status bench_finish(Bench *bench, BenchReport *ret_report, Error *err);

// Ends the process if it still runs. NULL is fine.
void bench_free(Bench *bench);

// One model among those that take turns.
typedef struct BenchModel {
    const char *path;
    const BenchWork *work;
    double *times_ns;   // out: [passes][batches], in the order of the calls
    BenchReport report; // out
} BenchModel;

typedef struct BenchTurns {
    size_t warmup;                                              // calls of each model before the clock counts
    size_t passes;                                              // timed, over the whole work
    void (*tell)(void *context, uint64_t done, uint64_t total); // calls of all models; may be NULL
    void *tell_context;
} BenchTurns;

// Starts all models, has them take turns, call by call, and ends them: call i of one stands beside call i of all. Their
// works have equally many batches. Failures of calls name model and sample. The caller has no thread and no database
// open, since a process is forked for each model.
MUST_CHECK Status bench_turns(Arena *arena, BenchModel *models, size_t count, const BenchTurns *turns, Error *err);
