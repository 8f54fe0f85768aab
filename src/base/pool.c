// SPDX-License-Identifier: Apache-2.0
// Pool over pthreadpool, whose workers spin between regions of one step (0.5 us a region) and sleep after the last one.
#include "base/pool.h"

#include <pthreadpool.h>

#include "base/memory.h"

struct Pool {
    pthreadpool_t threads; // NULL with one thread
    int count;
};

Status pool_new(int threads, Pool **ret_pool, Error *err) {
    if (threads < 1 || threads > 1024)
        return FAIL(err, ERR_USAGE, "expected 1 to 1024 threads, found %d", threads);
    Pool *pool = memory_new(1, sizeof *pool, err);
    TRY_NEW(pool);
    *pool = (Pool){.count = threads};
    if (threads > 1 && !(pool->threads = pthreadpool_create((size_t)threads))) {
        memory_free(pool);
        return FAIL(err, ERR_MEMORY, "the system gives no %d threads", threads);
    }
    *ret_pool = pool;
    return OK;
}

void pool_free(Pool *pool) {
    if (!pool)
        return;
    if (pool->threads)
        pthreadpool_destroy(pool->threads);
    memory_free(pool);
}

int pool_threads(const Pool *pool) {
    return pool ? pool->count : 1;
}

static void run(Pool *pool, size_t tiles, void (*tile)(void *, size_t), void *context, uint32_t flags) {
    if (pool && pool->threads && (tiles > 1 || flags))
        pthreadpool_parallelize_1d(pool->threads, tile, context, tiles, flags);
    else
        for (size_t i = 0; i < tiles; i++)
            tile(context, i);
}

void pool_run(Pool *pool, size_t tiles, void (*tile)(void *, size_t), void *context) {
    run(pool, tiles, tile, context, 0);
}

void pool_run_last(Pool *pool, size_t tiles, void (*tile)(void *, size_t), void *context) {
    run(pool, tiles, tile, context, PTHREADPOOL_FLAG_YIELD_WORKERS);
}
