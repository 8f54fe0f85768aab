// SPDX-License-Identifier: Apache-2.0
#include "base/pool.h"

#include <stdatomic.h>

#include "base/fault.h"
#include "check.h"

enum { MOST_TILES = 5000 };

static void count_tile(void *context, size_t index) {
    atomic_fetch_add((_Atomic int *)context + index, 1);
}

START_TEST(every_tile_runs_once) {
    static _Atomic int counts[MOST_TILES];
    static const size_t tiles[] = {0, 1, 2, 3, 17, MOST_TILES};
    for (int threads = 0; threads <= 4; threads++) { // 0: no pool at all
        Error err;
        Pool *pool = NULL;
        if (threads)
            CHECK_OK(pool_new(threads, &pool, &err));
        ck_assert_int_eq(pool_threads(pool), threads ? threads : 1);
        for (int round = 0; round < 4; round++)
            for (size_t t = 0; t < ARRAY_COUNT(tiles); t++) {
                memset(counts, 0, sizeof counts);
                (round % 2 ? pool_run : pool_run_last)(pool, tiles[t], count_tile, counts);
                for (size_t i = 0; i < MOST_TILES; i++)
                    if (counts[i] != (i < tiles[t]))
                        ck_abort_msg("tile %zu of %zu ran %d times", i, tiles[t], counts[i]);
            }
        pool_free(pool);
    }
}
END_TEST

// Regions so short that workers are always late for some: none may be lost, run twice, or run with another region's
// job.
START_TEST(many_short_regions) {
    static _Atomic int counts[8];
    Error err;
    Pool *pool = NULL;
    CHECK_OK(pool_new(3, &pool, &err));
    for (int round = 1; round <= 50000; round++) {
        size_t tiles = 2 + (size_t)round % 7;
        (round % 64 ? pool_run : pool_run_last)(pool, tiles, count_tile, counts);
        for (size_t i = 0; i < 8; i++) {
            int expected = i < tiles, found = atomic_exchange(&counts[i], 0);
            if (found != expected)
                ck_abort_msg("region %d: tile %zu of %zu ran %d times", round, i, tiles, found);
        }
    }
    pool_free(pool);
}
END_TEST

START_TEST(refusals) {
    Error err;
    Pool *pool = NULL;
    CHECK_FAILS(pool_new(0, &pool, &err), ERR_USAGE, "expected 1 to 1024 threads, found 0");
    CHECK_FAILS(pool_new(1025, &pool, &err), ERR_USAGE, "found 1025");
    fault_arm(FAULT_ALLOCATION, 1);
    CHECK_FAILS(pool_new(2, &pool, &err), ERR_MEMORY, "no memory");
    ck_assert_ptr_null(pool);
    pool_free(NULL);
}
END_TEST

TEST_MAIN("pool", every_tile_runs_once, many_short_regions, refusals)
