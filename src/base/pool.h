// SPDX-License-Identifier: Apache-2.0
// Pool: the worker threads that share the tiles of one piece of work.
//
//     static void tile(void *context, size_t index) { ... }
//     pool_run(pool, tiles, tile, &context);       // returns when every tile is done
//
// The caller works too, so a pool of n threads starts n-1. What a tile computes must not depend on which thread runs it
// or on how many there are: that is what keeps results the same bits under any --threads. One caller at a time.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct Pool Pool;

// threads >= 1. With one thread no thread is started and pool_run is a plain loop.
MUST_CHECK Status pool_new(int threads, Pool **ret_pool, Error *err);
void pool_free(Pool *pool);

int pool_threads(const Pool *pool);

// Pieces of work that were shared out to the threads so far: each ends with one wait for whoever took part. Work of one
// tile is not counted, it runs on the caller alone. For whoever calls pool_run.
uint64_t pool_regions(const Pool *pool);

// Calls tile(context, 0 .. tiles-1), each once, in any order, and waits. NULL pool: a plain loop.
void pool_run(Pool *pool, size_t tiles, void (*tile)(void *context, size_t index), void *context);

// The same; afterwards the threads go to sleep at once instead of spinning: for the last piece of work of a step.
void pool_run_last(Pool *pool, size_t tiles, void (*tile)(void *context, size_t index), void *context);
