// SPDX-License-Identifier: Apache-2.0
// The work that `hone bench` gives to models: a workload's sources, or random ones, shaped as asked.
#pragma once

#include "cli/command.h"
#include "measure/bench.h"

typedef struct BenchSources {
    const char *workload; // JSON lines (measure/data.h); NULL: random ids
    size_t samples;       // only the first so many; 0: all
    size_t tokens;        // every source repeated or cut to exactly so many; 0: as they are
    size_t batch;
    bool fill; // sources of a batch repeated up to the length of its longest, as engines compute that pad
} BenchSources;

// Fills the sources of `ret_work` as bench_work_fill does, for the MODEL at `path`, whose tokenizer makes ids of texts.
// Everything lives in the run's arena. ERR_FORMAT, ERR_IO, and errors of opening the model.
MUST_CHECK Status bench_work_read(CommandRun *run, const BenchSources *sources, const char *path, BenchWork *ret_work,
                                  Error *err);

// One sweep: what varies, and its values.
typedef enum SweepKey { SWEEP_SOURCE, SWEEP_NEW, SWEEP_BATCH, SWEEP_BEAMS, SWEEP_THREADS, SWEEP_KEY_COUNT } SweepKey;

enum { SWEEP_VALUES_MOST = 64 };

typedef struct Sweep {
    SweepKey key;
    int64_t values[SWEEP_VALUES_MOST];
    size_t count;
} Sweep;

// "source-tokens", ...; and what an axis calls it.
const char *sweep_key_name(SweepKey key);
const char *sweep_key_label(SweepKey key);

// Reads "KEY=1,2,4" or "KEY=1..128" (doubling from the first, and the last). ERR_USAGE.
MUST_CHECK Status sweep_parse(const char *text, Sweep *ret_sweep, Error *err);
