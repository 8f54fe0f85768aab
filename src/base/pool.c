// SPDX-License-Identifier: Apache-2.0
// The pool. Tiles are claimed one by one from a counter; a worker that comes late finds the job closed and is never
// waited for, so another process on its core costs its help and nothing more. (A pool that waits for every worker in
// every region took some 15 ms a region beside busy processes, measured.)
//
//   state:  | job number, 32 bits | open, 1 bit | workers inside, 31 bits |
//
// A worker enters by adding one to `inside` while the job is open; the caller closes the job once no tile is left and
// waits until all who entered have gone. Only then may the job's fields change, so whoever is inside reads them safely.
#include "base/pool.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/memory.h"

enum { SPINS_BEFORE_YIELD = 1000, YIELDS_BEFORE_SLEEP = 20 };

#define JOB_ONE ((uint64_t)1 << 32)
#define JOB_OPEN ((uint64_t)1 << 31)
#define JOB_INSIDE (JOB_OPEN - 1)

typedef struct Job {
    void (*tile)(void *context, size_t index);
    void *context;
    size_t tiles;
    bool last; // workers go to sleep after it without waiting for the next
} Job;

struct Pool {
    _Alignas(64) _Atomic uint64_t state;
    _Alignas(64) _Atomic size_t next;    // tile
    _Alignas(64) _Atomic uint32_t wakes; // the futex: changes whenever sleepers have to look again
    _Atomic uint32_t sleepers;
    _Atomic bool ending;
    Job job;
    uint64_t regions;   // the caller's
    int count, started; // threads with the caller; workers that run
    pthread_t workers[];
};

static void pause_cpu(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void tiles_take(Pool *pool) {
    for (size_t i; (i = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed)) < pool->job.tiles;)
        pool->job.tile(pool->job.context, i);
}

// True when this worker is now inside an open job other than `seen`, whose number it then holds.
static bool job_enter(Pool *pool, uint32_t *seen) {
    uint64_t state = atomic_load_explicit(&pool->state, memory_order_acquire);
    while ((state & JOB_OPEN) && (uint32_t)(state >> 32) != *seen)
        if (atomic_compare_exchange_weak_explicit(&pool->state, &state, state + 1, memory_order_acquire,
                                                  memory_order_acquire)) {
            *seen = (uint32_t)(state >> 32);
            return true;
        }
    return false;
}

static void sleep_until_woken(Pool *pool, uint32_t *seen) {
    uint32_t wakes = atomic_load(&pool->wakes);
    atomic_fetch_add(&pool->sleepers, 1);
    uint64_t state = atomic_load(&pool->state); // a job opened before we were counted would not wake us
    bool waiting = !((state & JOB_OPEN) && (uint32_t)(state >> 32) != *seen) && !atomic_load(&pool->ending);
    if (waiting)
        syscall(SYS_futex, &pool->wakes, FUTEX_WAIT_PRIVATE, wakes, NULL, NULL, 0);
    atomic_fetch_sub(&pool->sleepers, 1);
}

static void *worker_main(void *context) {
    Pool *pool = context;
    uint32_t seen = 0;
    pthread_setname_np(pthread_self(), "hone-worker");
    for (int spins = 0, yields = 0; !atomic_load_explicit(&pool->ending, memory_order_relaxed);) {
        if (job_enter(pool, &seen)) {
            tiles_take(pool);
            bool last = pool->job.last;
            atomic_fetch_sub_explicit(&pool->state, 1, memory_order_release);
            spins = last ? SPINS_BEFORE_YIELD : 0;
            yields = last ? YIELDS_BEFORE_SLEEP : 0;
        } else if (spins < SPINS_BEFORE_YIELD) {
            spins++;
            pause_cpu();
        } else if (yields < YIELDS_BEFORE_SLEEP) {
            yields++;
            spins = 0;
            sched_yield(); // whoever else needs this core gets it
        } else {
            sleep_until_woken(pool, &seen);
            spins = yields = 0;
        }
    }
    return NULL;
}

static void sleepers_wake(Pool *pool) {
    if (!atomic_load(&pool->sleepers))
        return;
    atomic_fetch_add(&pool->wakes, 1);
    syscall(SYS_futex, &pool->wakes, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static void run(Pool *pool, Job job) {
    if (!pool || !pool->started || job.tiles < 2) {
        for (size_t i = 0; i < job.tiles; i++)
            job.tile(job.context, i);
        return;
    }
    pool->regions++;
    pool->job = job;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    uint64_t state = atomic_load_explicit(&pool->state, memory_order_relaxed);
    atomic_store(&pool->state, (state & ~(JOB_ONE - 1)) + (JOB_ONE | JOB_OPEN));
    sleepers_wake(pool);
    tiles_take(pool);
    atomic_fetch_and_explicit(&pool->state, ~JOB_OPEN, memory_order_relaxed);
    for (int spins = 0; atomic_load_explicit(&pool->state, memory_order_acquire) & JOB_INSIDE; spins++) {
        if (spins < SPINS_BEFORE_YIELD * 10)
            pause_cpu();
        else
            sched_yield();
    }
}

void pool_run(Pool *pool, size_t tiles, void (*tile)(void *, size_t), void *context) {
    run(pool, (Job){tile, context, tiles, false});
}

void pool_run_last(Pool *pool, size_t tiles, void (*tile)(void *, size_t), void *context) {
    run(pool, (Job){tile, context, tiles, true});
}

Status pool_new(int threads, Pool **ret_pool, Error *err) {
    if (threads < 1 || threads > 1024)
        return FAIL(err, ERR_USAGE, "expected 1 to 1024 threads, found %d", threads);
    size_t bytes = sizeof(Pool) + (size_t)threads * sizeof(pthread_t);
    Pool *pool = memory_map(bytes, err); // aligned and zeroed
    TRY_NEW(pool);
    pool->count = threads;
    while (pool->started < threads - 1) {
        if (pthread_create(&pool->workers[pool->started], NULL, worker_main, pool) != 0) {
            pool_free(pool);
            return FAIL(err, ERR_MEMORY, "the system gives no %d threads", threads);
        }
        pool->started++;
    }
    *ret_pool = pool;
    return OK;
}

void pool_free(Pool *pool) {
    if (!pool)
        return;
    atomic_store(&pool->ending, true);
    atomic_fetch_add(&pool->wakes, 1);
    syscall(SYS_futex, &pool->wakes, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    for (int i = 0; i < pool->started; i++)
        pthread_join(pool->workers[i], NULL);
    memory_unmap(pool, sizeof(Pool) + (size_t)pool->count * sizeof(pthread_t));
}

int pool_threads(const Pool *pool) {
    return pool ? pool->count : 1;
}

uint64_t pool_regions(const Pool *pool) {
    return pool ? pool->regions : 0;
}
