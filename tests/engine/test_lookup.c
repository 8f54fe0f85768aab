// SPDX-License-Identifier: Apache-2.0
// What lookup guesses, and how many.
#include "check.h"
#include "engine/lookup.h"

enum { START = 2 };

static size_t guess(const int32_t *source, size_t source_count, const int32_t *history, size_t count, size_t most,
                    int32_t *ret) {
    memset(ret, -1, LOOKUP_MOST * sizeof *ret);
    return lookup_guess(source, source_count, history, count, most, ret);
}

START_TEST(test_longest_match) {
    static const int32_t source[] = {0, 10, 11, 12, 13, 14, 21, 12, 30, 12, 40};
    static const int32_t three[] = {START, 10, 11, 12}, two[] = {START, 21, 12}, one[] = {START, 9, 12};
    int32_t ids[LOOKUP_MOST];
    ck_assert_uint_eq(guess(source, 11, three, 4, 4, ids), 4);
    ck_assert(ids[0] == 13 && ids[1] == 14 && ids[2] == 21 && ids[3] == 12);
    ck_assert_uint_eq(guess(source, 11, two, 3, 2, ids), 2);
    ck_assert(ids[0] == 30 && ids[1] == 12 && ids[2] == -1);
    ck_assert_uint_eq(guess(source, 11, one, 3, 7, ids), 1); // the last place, up to the end
    ck_assert_int_eq(ids[0], 40);
}
END_TEST

START_TEST(test_text_so_far_first) {
    static const int32_t source[] = {5, 6, 7}, history[] = {START, 5, 6, 8, 9, 5, 6};
    int32_t ids[LOOKUP_MOST];
    ck_assert_uint_eq(guess(source, 3, history, 7, 3, ids), 3);
    ck_assert(ids[0] == 8 && ids[1] == 9 && ids[2] == 5);
}
END_TEST

START_TEST(test_nothing_to_guess) {
    static const int32_t source[] = {5, 6, START, 9}, start[] = {START}, strange[] = {START, 77}, end[] = {START, 9};
    int32_t ids[LOOKUP_MOST];
    ck_assert_uint_eq(guess(source, 4, start, 1, 7, ids), 0); // the start token is no word
    ck_assert_uint_eq(guess(source, 4, strange, 2, 7, ids), 0);
    ck_assert_uint_eq(guess(source, 4, end, 2, 7, ids), 0);
    ck_assert_uint_eq(guess(source, 0, strange, 2, 7, ids), 0);
    ck_assert_uint_eq(guess(source, 4, (const int32_t[]){START, 5}, 2, 0, ids), 0);
    ck_assert_int_eq(ids[0], -1);
}
END_TEST

START_TEST(test_how_many) {
    ck_assert_uint_eq(lookup_next(2, 0, 0), 2); // nothing guessed, nothing learnt
    ck_assert_uint_eq(lookup_next(2, 2, 2), 4);
    ck_assert_uint_eq(lookup_next(4, 4, 4), LOOKUP_MOST);
    ck_assert_uint_eq(lookup_next(6, 6, 2), 3);
    ck_assert_uint_eq(lookup_next(6, 6, 0), 1);
}
END_TEST

TEST_MAIN("engine/lookup", test_longest_match, test_text_so_far_first, test_nothing_to_guess, test_how_many)
