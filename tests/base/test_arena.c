// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include <stdint.h>

#include "base/fault.h"
#include "base/random.h"
#include "check.h"

static bool all_are(const unsigned char *bytes, size_t count, unsigned char value) {
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != value)
            return false;
    return true;
}

START_TEST(blocks_are_aligned_apart_and_zeroed) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    enum { BLOCKS = 2000 };
    unsigned char *blocks[BLOCKS];
    size_t sizes[BLOCKS];
    Random random = {1};
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t alignment = (size_t)1 << random_below(&random, 13);
        sizes[i] = random_below(&random, i % 100 == 0 ? 300000 : 200);
        blocks[i] = i % 2 ? arena_alloc(&arena, sizes[i], alignment, &err) : arena_array(&arena, sizes[i], 1, &err);
        ck_assert_ptr_nonnull(blocks[i]);
        ck_assert_uint_eq((uintptr_t)blocks[i] % (i % 2 ? alignment : 16), 0);
        ck_assert(i % 2 || all_are(blocks[i], sizes[i], 0));
        memset(blocks[i], (int)(i % 251), sizes[i]);
    }
    for (size_t i = 0; i < BLOCKS; i++)
        ck_assert(all_are(blocks[i], sizes[i], (unsigned char)(i % 251)));
    arena_done(&arena);
}
END_TEST

START_TEST(limits_and_overflow) {
    Error err;
    Arena arena;
    arena_init(&arena, 1000);
    ck_assert_ptr_nonnull(arena_array(&arena, 1, 600, &err));
    ck_assert_ptr_null(arena_array(&arena, 1, 401, &err));
    ck_assert_int_eq(err.status, ERR_LIMIT);
    ck_assert_str_eq(err.message, "401 bytes more would pass the limit of 1000 bytes");
    ck_assert_ptr_nonnull(arena_array(&arena, 1, 400, &err));
    ck_assert_ptr_null(arena_array(&arena, SIZE_MAX / 2, 3, &err));
    ck_assert_ptr_nonnull(strstr(err.message, "more than this machine can address"));
    arena_done(&arena);
    arena_init(&arena, 0);
    ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX - 8, 64, &err));
    ck_assert_int_eq(err.status, ERR_LIMIT);
    ck_assert_ptr_null(arena_copy_text(&arena, "", SIZE_MAX, &err));
    ck_assert_int_eq(err.status, ERR_LIMIT);
    arena_done(&arena);
}
END_TEST

static int order[8], ran;

static void note(void *object) {
    order[ran++] = *(int *)object;
}

START_TEST(destructors_run_in_reverse_and_once) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    int numbers[] = {1, 2, 3};
    for (size_t i = 0; i < 3; i++)
        CHECK_OK(arena_on_free(&arena, note, &numbers[i], &err));
    arena_reset(&arena);
    arena_done(&arena);
    ck_assert_int_eq(ran, 3);
    ck_assert(order[0] == 3 && order[1] == 2 && order[2] == 1);
    fault_arm(FAULT_ALLOCATION, 1); // registering fails: destroyed at once
    CHECK_FAILS(arena_on_free(&arena, note, &numbers[1], &err), ERR_MEMORY, "no memory for");
    ck_assert(ran == 4 && order[3] == 2);
    arena_done(&arena);
    ck_assert_int_eq(ran, 4);
}
END_TEST

static void step(Arena *arena) {
    Error err;
    for (size_t i = 0; i < 50; i++)
        ck_assert_ptr_nonnull(arena_array(arena, 1 + i * 70000 % 900001, 1, &err));
    ck_assert_ptr_nonnull(arena_alloc(arena, 5 << 20, 64, &err));
    ck_assert_ptr_nonnull(arena_copy_text(arena, "end", 3, &err));
}

START_TEST(a_warm_arena_allocates_nothing) {
    Arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < 3; i++) {
        step(&arena);
        arena_reset(&arena);
        ck_assert_uint_eq(arena.used_bytes, 0);
    }
    uint64_t before = memory_allocations();
    for (size_t i = 0; i < 10; i++) {
        step(&arena);
        arena_reset(&arena);
    }
    ck_assert_uint_eq(memory_allocations(), before);
    arena_done(&arena);
}
END_TEST

START_TEST(texts) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    ck_assert_str_eq(arena_copy_text(&arena, "abcdef", 3, &err), "abc");
    ck_assert_str_eq(arena_copy_text(&arena, NULL, 0, &err), "");
    ck_assert_str_eq(arena_format(&arena, &err, "%s-%d", "x", 7), "x-7");
    fault_arm(FAULT_ALLOCATION, 1);
    ck_assert_ptr_null(arena_format(&arena, &err, "%8000d", 7));
    ck_assert_int_eq(err.status, ERR_MEMORY);
    arena_done(&arena);
}
END_TEST

TEST_MAIN("arena", blocks_are_aligned_apart_and_zeroed, limits_and_overflow, destructors_run_in_reverse_and_once,
          a_warm_arena_allocates_nothing, texts)
