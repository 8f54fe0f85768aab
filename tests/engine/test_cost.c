// SPDX-License-Identifier: Apache-2.0
// Costs learned online: they find the terms of a machine that has them, follow one that changes, and shrug off
// outliers.
#include <math.h>

#include "base/random.h"
#include "check.h"
#include "engine/cost.h"

static double step_ns(double rows, double keys) {
    return 3e6 + 1e5 * rows + 40 * keys;
}

static double uniform(Random *random) {
    return (double)(random_next(random) >> 11) / 9007199254740992.0;
}

static void learn(Cost *cost, Random *random, int count, double factor) {
    for (int i = 0; i < count; i++) {
        double rows = 1 + floor(64 * uniform(random)), keys = rows * (100 + 200 * uniform(random));
        double noise = 1 + 0.1 * (uniform(random) - 0.5);
        cost_learn(cost, cost_decode_input(rows, keys), (uint64_t)(factor * noise * step_ns(rows, keys)));
    }
}

static void check_near(const Cost *cost, double factor, double tolerance) {
    for (double rows = 1; rows <= 64; rows *= 4) {
        double told = cost_predict(cost, cost_decode_input(rows, rows * 200));
        double true_ns = factor * step_ns(rows, rows * 200);
        ck_assert_msg(fabs(told / true_ns - 1) < tolerance, "%g rows: %g ns predicted, %g expected", rows, told,
                      true_ns);
    }
}

START_TEST(test_learns) {
    Cost cost;
    cost_init(&cost);
    ck_assert_double_eq(cost_predict(&cost, cost_decode_input(8, 800)), 0);
    Random random = {1};
    learn(&cost, &random, 200, 1);
    check_near(&cost, 1, 0.1);
    ck_assert_double_eq_tol(cost.predicted_ns / cost.actual_ns, 1, 0.1);
}
END_TEST

START_TEST(test_follows_a_slower_machine) {
    Cost cost;
    cost_init(&cost);
    Random random = {2};
    learn(&cost, &random, 300, 1);
    learn(&cost, &random, 300, 2);
    check_near(&cost, 2, 0.1);
}
END_TEST

START_TEST(test_one_wild_step_is_bounded) {
    Cost cost;
    cost_init(&cost);
    Random random = {3};
    learn(&cost, &random, 300, 1);
    cost_learn(&cost, cost_decode_input(8, 1600), 5000000000u);
    check_near(&cost, 1, 0.6);
    learn(&cost, &random, 200, 1);
    check_near(&cost, 1, 0.1);
}
END_TEST

// The same work for ever says nothing about other work; the model may not run away meanwhile.
START_TEST(test_monotony_does_not_wind_up) {
    Cost cost;
    cost_init(&cost);
    Random random = {4};
    learn(&cost, &random, 200, 1);
    for (int i = 0; i < 100000; i++)
        cost_learn(&cost, cost_decode_input(8, 1600),
                   (uint64_t)(step_ns(8, 1600) * (1 + 0.1 * (uniform(&random) - 0.5))));
    double told = cost_predict(&cost, cost_decode_input(64, 64 * 200));
    ck_assert_double_lt(told, 10 * step_ns(64, 64 * 200));
    learn(&cost, &random, 300, 1);
    check_near(&cost, 1, 0.1);
}
END_TEST

TEST_MAIN("engine/cost", test_learns, test_follows_a_slower_machine, test_one_wild_step_is_bounded,
          test_monotony_does_not_wind_up)
