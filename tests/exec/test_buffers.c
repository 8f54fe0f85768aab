// SPDX-License-Identifier: Apache-2.0
// Placement over random lifetimes: nothing alive at the same time overlaps, offsets are aligned, the block is no larger
// than without sharing and no smaller than what is alive at once.
#include "exec/buffers.h"

#include "base/random.h"
#include "check.h"

enum { MOST_USES = 60 };

static bool overlap(size_t a, size_t a_end, size_t b, size_t b_end) {
    return a < b_end && b < a_end;
}

static void check_placement(const BufferUse *uses, size_t count, size_t total) {
    size_t sum = 0, steps = 0, needed = 0;
    for (size_t i = 0; i < count; i++) {
        const BufferUse *a = &uses[i];
        ck_assert_uint_eq(a->ret_offset % 64, 0);
        ck_assert_uint_eq(a->bytes % 64, 0);
        ck_assert_uint_le(a->ret_offset + a->bytes, total);
        sum += a->bytes;
        steps = a->last > steps ? a->last : steps;
        for (size_t j = 0; j < i; j++) {
            const BufferUse *b = &uses[j];
            bool together = overlap(a->first, a->last + 1, b->first, b->last + 1);
            ck_assert_msg(
                !together || !overlap(a->ret_offset, a->ret_offset + a->bytes, b->ret_offset, b->ret_offset + b->bytes),
                "uses %zu and %zu of %zu overlap", i, j, count);
        }
    }
    for (size_t step = 0; step <= steps; step++) {
        size_t alive = 0;
        for (size_t i = 0; i < count; i++)
            alive += uses[i].first <= step && step <= uses[i].last ? uses[i].bytes : 0;
        needed = alive > needed ? alive : needed;
    }
    ck_assert_uint_le(total, sum);
    ck_assert_uint_ge(total, needed);
}

START_TEST(test_random_lifetimes) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    Random random = {11};
    size_t saved = 0;
    for (int round = 0; round < 600; round++) {
        BufferUse uses[MOST_USES];
        size_t count = random_below(&random, MOST_USES + 1), total, sum = 0;
        for (size_t i = 0; i < count; i++) {
            size_t first = random_below(&random, 40), length = random_below(&random, i % 7 ? 5 : 40);
            size_t bytes = random_below(&random, 4) ? random_below(&random, 5000) : 0;
            uses[i] = (BufferUse){.bytes = bytes, .first = first, .last = first + length, .ret_offset = 1};
        }
        CHECK_OK(buffers_place(&arena, uses, count, &total, &err));
        check_placement(uses, count, total);
        for (size_t i = 0; i < count; i++)
            sum += uses[i].bytes;
        saved += sum - total;
        arena_reset(&arena);
    }
    ck_assert_uint_gt(saved, 0);
    arena_done(&arena);
}
END_TEST

// A chain, each value read by the next step alone, needs room for two.
START_TEST(test_chain_needs_two) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    BufferUse uses[10];
    size_t total;
    for (size_t i = 0; i < ARRAY_COUNT(uses); i++)
        uses[i] = (BufferUse){.bytes = 100, .first = i, .last = i + 1};
    CHECK_OK(buffers_place(&arena, uses, ARRAY_COUNT(uses), &total, &err));
    ck_assert_uint_eq(total, 256);
    CHECK_OK(buffers_place(&arena, uses, 0, &total, &err));
    ck_assert_uint_eq(total, 0);
    arena_done(&arena);
}
END_TEST

TEST_MAIN("exec/buffers", test_random_lifetimes, test_chain_needs_two)
