// SPDX-License-Identifier: Apache-2.0
// What `hone bench` does under load: one figure of many requests at once, or the search for the batch size.
#pragma once

#include "cli/runtime.h"

typedef struct ServingFlags {
    const char *outputs; // lengths (measure/serving.h); NULL: no load is wanted, unless find_batch
    int64_t requests, static_batch, most_batch;
    double rate, target_ms;
    bool find_batch, whole_batches;
} ServingFlags;

extern const Option serving_options[];

bool serving_wanted(const ServingFlags *flags);

// Measures every model of the command line, one after another, and answers for each. `batch`: requests at once.
MUST_CHECK Status bench_serving(CommandRun *run, const ServingFlags *flags, const RuntimeFlags *runtime,
                                const char *workload, size_t samples, size_t batch, Error *err);
