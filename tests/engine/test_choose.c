// SPDX-License-Identifier: Apache-2.0
// Choosing the best of a row against a full sort, and draws against the probabilities they should have.
#include "check.h"
#include "engine/chi_square.h"
#include "engine/choose.h"

enum { COUNT = 1000 };

static int by_value(const void *a, const void *b) {
    const Candidate *left = a, *right = b;
    if (left->value != right->value)
        return left->value > right->value ? -1 : 1;
    return left->token < right->token ? -1 : 1;
}

START_TEST(test_ranking_equals_sort) {
    Random random = {4};
    for (int round = 0; round < 200; round++) {
        size_t count = 1 + random_below(&random, COUNT), most = 1 + random_below(&random, 12);
        uint32_t levels = round % 2 ? 7 : 1000000; // few levels: many equal values
        float row[COUNT];
        Candidate sorted[COUNT], items[12];
        for (size_t i = 0; i < count; i++) {
            row[i] = (float)random_below(&random, levels) - 3;
            if (random_below(&random, 10) == 0)
                row[i] = -INFINITY;
            sorted[i] = (Candidate){row[i] + 0.25f, 3, (int32_t)i};
        }
        qsort(sorted, count, sizeof *sorted, by_value);
        Ranking ranking = {.items = items, .most = most};
        ranking_fill(&ranking, row, count, 0.25f, 3);
        ck_assert_uint_eq(ranking.count, count < most ? count : most);
        for (size_t i = 0; i < ranking.count; i++) {
            ck_assert_int_eq(items[i].token, sorted[i].token);
            ck_assert_int_eq(items[i].beam, 3);
            ck_assert(items[i].value == sorted[i].value);
        }
    }
}
END_TEST

START_TEST(test_draws_follow_probabilities) {
    enum { RUNS = 200000 };
    static float values[COUNT];
    double expected[COUNT] = {0}, counts[COUNT] = {0}, total = 0;
    Random random = {11};
    size_t likely = 0;
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = random_below(&random, 3) == 0 ? -INFINITY : (float)random_unit(&random) * 3 - 60;
        likely += values[i] > -INFINITY;
        total += exp((double)values[i]);
    }
    Draw draw;
    ck_assert(draw_init(&draw, values, COUNT));
    for (size_t i = 0; i < COUNT; i++)
        expected[i] = exp((double)values[i]) / total * RUNS;
    for (int i = 0; i < RUNS; i++)
        counts[draw_one(&draw, &random)]++;
    for (size_t i = 0; i < COUNT; i++)
        ck_assert(values[i] > -INFINITY || counts[i] == 0);
    double found = chi_square(counts, expected, COUNT);
    ck_assert_msg(found < chi_square_bound(likely - 1), "chi-square %.1f of %zu cells", found, likely);
    double logarithm = log(exp((double)values[1]) / total);
    ck_assert(fabs(draw_log_probability(&draw, values[1]) - logarithm) < 1e-9 || values[1] == -INFINITY);
}
END_TEST

// Ordered pairs without replacement: P(i, j) = p_i p_j / (1 - p_i).
START_TEST(test_draws_without_replacement) {
    enum { RUNS = 100000, KINDS = 4 };
    const double p[KINDS] = {0.6, 0.25, 0.1, 0.05};
    double counts[KINDS * KINDS] = {0}, expected[KINDS * KINDS] = {0};
    Random random = {12};
    for (int run = 0; run < RUNS; run++) {
        float values[300];
        for (size_t i = 0; i < ARRAY_COUNT(values); i++)
            values[i] = i % 70 == 0 && i / 70 < KINDS ? (float)log(p[i / 70]) : -INFINITY;
        Draw draw;
        ck_assert(draw_init(&draw, values, ARRAY_COUNT(values)));
        size_t first, second;
        float value;
        ck_assert(draw_out(&draw, &random, &first, &value) && value == (float)log(p[first / 70]));
        ck_assert(values[first] == -INFINITY);
        ck_assert(draw_out(&draw, &random, &second, &value) && first != second);
        counts[first / 70 * KINDS + second / 70]++;
    }
    for (size_t i = 0; i < KINDS; i++) {
        for (size_t j = 0; j < KINDS; j++)
            expected[i * KINDS + j] = i == j ? 0 : p[i] * p[j] / (1 - p[i]) * RUNS;
    }
    double found = chi_square(counts, expected, KINDS * KINDS);
    ck_assert_msg(found < chi_square_bound(KINDS * (KINDS - 1) - 1), "chi-square %.1f", found);
}
END_TEST

START_TEST(test_draws_end_when_nothing_is_left) {
    float values[3] = {-INFINITY, 2, 1}, value;
    Draw draw;
    Random random = {1};
    size_t index;
    ck_assert(draw_init(&draw, values, 3));
    ck_assert(draw_out(&draw, &random, &index, &value));
    ck_assert(draw_out(&draw, &random, &index, &value));
    ck_assert(!draw_out(&draw, &random, &index, &value));
    ck_assert(!draw_init(&draw, values, 3));
}
END_TEST

TEST_MAIN("engine/choose", test_ranking_equals_sort, test_draws_follow_probabilities, test_draws_without_replacement,
          test_draws_end_when_nothing_is_left)
