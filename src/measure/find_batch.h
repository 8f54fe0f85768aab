// SPDX-License-Identifier: Apache-2.0
// FindBatch: how many requests should run at once: the number with the largest throughput among those whose time per
// token (p99) stays below a target. 1, 2, 4 .. are measured, each until its windows agree, until two doublings have won
// nothing or one has passed the target; then halfway to the neighbours of the best.
#pragma once

#include "measure/serving.h"

enum { BATCH_POINTS_MOST = 32 };

typedef struct BatchPoint {
    size_t batch;
    double tokens_per_s, requests_per_s, token_p50_ms, token_p99_ms, first_token_p99_ms;
    double spread; // of throughput between its windows: (most - least) / most
    bool within;   // the target
} BatchPoint;

typedef struct BatchCurve {
    BatchPoint points[BATCH_POINTS_MOST]; // by batch, ascending
    size_t count;
    size_t best; // index; the least batch where none is within the target
    bool met;    // the best is within the target
} BatchCurve;

typedef struct BatchSearch {
    ServingWork work;  // `requests` is chosen for each point, in_flight is the batch
    size_t most_batch; // the engine's most_running
    double target_ms;  // p99 of the time per token; 0: any
    double point_s;    // seconds of a window; 0: 0.5
    void (*tell)(void *context, const BatchPoint *point);
    void *context;
} BatchSearch;

// The engine is left with its batch bound to the best.
MUST_CHECK Status find_batch(Engine *engine, const BatchSearch *search, BatchCurve *ret, Error *err);
