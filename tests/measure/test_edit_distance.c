// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "base/random.h"
#include "measure/edit_distance.h"

static TokenErrors count_of(const char *ids, const char *labels) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    int32_t a[64], b[64];
    size_t m = strlen(ids), n = strlen(labels);
    for (size_t i = 0; i < m; i++)
        a[i] = ids[i];
    for (size_t i = 0; i < n; i++)
        b[i] = labels[i];
    TokenErrors errors = {0};
    CHECK_OK(token_errors_count(&arena, a, m, b, n, &errors, &err));
    arena_done(&arena);
    return errors;
}

START_TEST(known_distances) {
    ck_assert_uint_eq(count_of("kitten", "sitting").distance, 3);
    ck_assert_double_eq_tol(count_of("kitten", "sitting").token_error, 3.0 / 7, 1e-15);
    ck_assert_uint_eq(count_of("flaw", "lawn").distance, 2);
    ck_assert_uint_eq(count_of("intention", "execution").distance, 5);
    ck_assert_uint_eq(count_of("", "abc").distance, 3);
    ck_assert_double_eq(count_of("", "abc").token_error, 1);
    ck_assert_uint_eq(count_of("abc", "").distance, 3);
    ck_assert_double_eq(count_of("abc", "").token_error, 3);
    ck_assert(count_of("", "").exact && count_of("same", "same").exact && !count_of("same", "sane").exact);
    ck_assert_double_eq(count_of("", "").token_error, 0);
}
END_TEST

// The definition, by recursion.
static size_t distance_defined(const int32_t *a, size_t m, const int32_t *b, size_t n) {
    if (!m || !n)
        return m + n;
    size_t best = distance_defined(a, m - 1, b, n - 1) + (a[m - 1] != b[n - 1]);
    size_t left = distance_defined(a, m, b, n - 1) + 1;
    size_t up = distance_defined(a, m - 1, b, n) + 1;
    best = left < best ? left : best;
    return up < best ? up : best;
}

START_TEST(random_distances) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    Random random = {3};
    for (int round = 0; round < 400; round++) {
        int32_t a[6], b[6];
        size_t m = random_below(&random, 7), n = random_below(&random, 7);
        for (size_t i = 0; i < 6; i++) {
            a[i] = (int32_t)random_below(&random, 3);
            b[i] = (int32_t)random_below(&random, 3);
        }
        TokenErrors errors = {0};
        CHECK_OK(token_errors_count(&arena, a, m, b, n, &errors, &err));
        ck_assert_uint_eq(errors.distance, distance_defined(a, m, b, n));
        arena_reset(&arena);
    }
    arena_done(&arena);
}
END_TEST

START_TEST(refuses_giants) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    TokenErrors errors = {.distance = 77};
    CHECK_FAILS(token_errors_count(&arena, NULL, 40000, NULL, 40000, &errors, &err), ERR_LIMIT,
                "40000 ids to 40000 labels");
    CHECK_FAILS(token_errors_count(&arena, NULL, SIZE_MAX, NULL, 0, &errors, &err), ERR_LIMIT, "beyond the limit");
    CHECK_FAILS(token_errors_count(&arena, NULL, 0, NULL, SIZE_MAX, &errors, &err), ERR_LIMIT, "beyond the limit");
    ck_assert_uint_eq(errors.distance, 77);
    arena_done(&arena);
}
END_TEST

TEST_MAIN("measure/edit_distance", known_distances, random_distances, refuses_giants)
