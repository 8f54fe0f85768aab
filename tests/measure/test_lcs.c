// SPDX-License-Identifier: Apache-2.0
// Against the table written out in full, as the definition has it.
#include "check.h"

#include "base/random.h"
#include "measure/lcs.h"

typedef struct Case {
    size_t a_count, b_count;
    uint32_t letters;
} Case;

// t[(i)(b_count + 1) + j], the length for the first i of a and j of b.
static uint16_t *table_make(Arena *arena, const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count) {
    Error err;
    size_t columns = b_count + 1;
    uint16_t *t = arena_array(arena, (a_count + 1) * columns, sizeof *t, &err);
    ck_assert_ptr_nonnull(t);
    for (size_t i = 1; i <= a_count; i++) {
        for (size_t j = 1; j <= b_count; j++) {
            uint16_t up = t[(i - 1) * columns + j];
            uint16_t left = t[i * columns + j - 1];
            t[i * columns + j] = a[i - 1] == b[j - 1] ? (uint16_t)(t[(i - 1) * columns + j - 1] + 1)
                                 : up > left          ? up
                                                      : left;
        }
    }
    return t;
}

static void table_mark(const uint16_t *t, const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count,
                       bool *hits) {
    size_t columns = b_count + 1;
    for (size_t i = a_count, j = b_count; i > 0 && j > 0;) {
        if (a[i - 1] == b[j - 1]) {
            hits[--i] = true;
            j--;
        } else if (t[i * columns + j - 1] > t[(i - 1) * columns + j]) {
            j--;
        } else {
            i--;
        }
    }
}

static uint32_t *letters_make(Arena *arena, Random *random, size_t count, uint32_t letters) {
    Error err;
    uint32_t *ids = arena_array(arena, count, sizeof *ids, &err);
    ck_assert_ptr_nonnull(ids);
    for (size_t i = 0; i < count; i++)
        ids[i] = random_below(random, letters);
    return ids;
}

static void compare_with_table(LcsSpace *space, Arena *arena, Random *random, Case c) {
    Error err;
    const uint32_t *a = letters_make(arena, random, c.a_count, c.letters);
    const uint32_t *b = letters_make(arena, random, c.b_count, c.letters);
    const uint16_t *t = table_make(arena, a, c.a_count, b, c.b_count);
    bool *expected = arena_array(arena, c.a_count, 1, &err);
    bool *hits = arena_array(arena, c.a_count, 1, &err);
    ck_assert(expected && hits);
    table_mark(t, a, c.a_count, b, c.b_count, expected);
    lcs_load(space, a, c.a_count);
    ck_assert_uint_eq(lcs_length(space, b, c.b_count), t[c.a_count * (c.b_count + 1) + c.b_count]);
    lcs_mark(space, b, c.b_count, hits);
    for (size_t i = 0; i < c.a_count; i++)
        ck_assert_msg(hits[i] == expected[i], "%zu by %zu of %u letters: position %zu", c.a_count, c.b_count, c.letters,
                      i);
    lcs_load(space, NULL, 0); // `a` may go now
}

START_TEST(small_sequences) {
    Error err;
    Arena arena, each;
    arena_init(&arena, 0);
    arena_init(&each, 0);
    LcsSpace *space = lcs_make(&arena, 200, 200, 64, true, &err);
    ck_assert_ptr_nonnull(space);
    Random random = {11};
    for (int round = 0; round < 3000; round++) {
        Case c = {random_below(&random, round % 3 ? 12 : 200), random_below(&random, round % 5 ? 12 : 200),
                  1 + random_below(&random, 1u << random_below(&random, 6))};
        compare_with_table(space, &each, &random, c);
        arena_reset(&each);
    }
    arena_done(&each);
    arena_done(&arena);
}
END_TEST

// Long enough for columns to be computed again from kept ones, with few and with many letters.
START_TEST(long_sequences) {
    static const Case cases[] = {{3000, 3000, 3}, {3000, 3000, 2000}, {6400, 1500, 40},
                                 {64, 9000, 5},   {1, 20000, 2},      {9000, 64, 7}};
    for (size_t k = 0; k < ARRAY_COUNT(cases); k++) {
        Error err;
        Arena arena;
        arena_init(&arena, 0);
        LcsSpace *space = lcs_make(&arena, cases[k].a_count, cases[k].b_count, 2000, true, &err);
        ck_assert_ptr_nonnull(space);
        Random random = {k};
        compare_with_table(space, &arena, &random, cases[k]);
        arena_done(&arena);
    }
}
END_TEST

// A space made for long pairs serves all shorter ones.
START_TEST(one_space_for_all) {
    Error err;
    Arena arena, each;
    arena_init(&arena, 0);
    arena_init(&each, 0);
    LcsSpace *space = lcs_make(&arena, 4000, 4000, 50, true, &err);
    ck_assert_ptr_nonnull(space);
    Random random = {5};
    static const Case cases[] = {{4000, 4000, 50}, {4000, 2080, 3}, {2080, 4000, 9},
                                 {129, 4000, 2},   {4000, 31, 4},   {1, 1, 1}};
    for (size_t k = 0; k < ARRAY_COUNT(cases); k++) {
        compare_with_table(space, &each, &random, cases[k]);
        arena_reset(&each);
    }
    arena_done(&each);
    arena_done(&arena);
}
END_TEST

START_TEST(memory_is_bounded) {
    Error err;
    Arena arena;
    arena_init(&arena, 64 << 20);
    ck_assert_ptr_nonnull(lcs_make(&arena, 170000, 170000, 340000, true, &err));
    arena_done(&arena);
}
END_TEST

START_TEST(known_positions) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    static const uint32_t a[] = {1, 2, 3, 4, 5};
    static const uint32_t b[] = {2, 5, 3, 4};
    LcsSpace *space = lcs_make(&arena, 5, 4, 6, true, &err);
    ck_assert_ptr_nonnull(space);
    lcs_load(space, a, 5);
    bool hits[5] = {0};
    lcs_mark(space, b, 4, hits);
    ck_assert(!hits[0] && hits[1] && hits[2] && hits[3] && !hits[4]);
    ck_assert_uint_eq(lcs_length(space, b, 4), 3);
    ck_assert_uint_eq(lcs_length(space, b, 0), 0);
    arena_done(&arena);
}
END_TEST

TEST_MAIN("measure/lcs", small_sequences, long_sequences, one_space_for_all, memory_is_bounded, known_positions)
