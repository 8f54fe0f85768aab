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

typedef struct BenchWork {
    const int32_t *const *sources; // [samples], in the order in which they are batched
    const size_t *lengths;
    size_t samples, batch; // the last batch may be smaller
    Status (*options)(const void *context, Arena *arena, GenerationOptions *options,
                      Error *err); // changes the model's own options
    const void *context;
    size_t digest_leaves_out; // last tokens of each output that the digest ignores
    RuntimeSettings runtime;
} BenchWork;

typedef struct Bench Bench;

// What a model tells when it ends.
typedef struct BenchReport {
    double load_ms, weights_mb, rss_mb, peak_rss_mb;
    double kv_token_kb; // K and V of one token, all layers
    size_t vocabulary;
    EngineCounts counts;                    // over all calls, warm-up included
    char screen_refusal[256];               // why there is no screen of the head; empty: nothing to say
    double limit_ms;                        // per sample, as measure/limit.h has it
    size_t new_tokens[32], new_token_kinds; // distinct output lengths, ascending
    char digest[13];                        // of all outputs: sha256 of Python's json.dumps, first 12 digits
} BenchReport;

// Starts a process and loads the model in it. Fails as opening and loading do.
MUST_CHECK Status bench_start(const char *model, const BenchWork *work, Bench **ret_bench, Error *err);

size_t bench_batches(const BenchWork *work);

// Runs batch `index` there; the time is taken inside that process, ids in to ids out.
MUST_CHECK Status bench_call(Bench *bench, size_t index, uint64_t *ret_ns, Error *err);
MUST_CHECK Status bench_finish(Bench *bench, BenchReport *ret_report, Error *err);

// Ends the process if it still runs. NULL is fine.
void bench_free(Bench *bench);
