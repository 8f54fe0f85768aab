// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <math.h>

#include "base/random.h"
#include "measure/change.h"
#include "measure/statistics.h"

enum { PAIRS = 12, TRIALS = 1500 };

static double normal(Random *random) { // Box and Muller
    double u = 1 - random_unit(random), v = random_unit(random);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

// Kinds of noise in a time of 100 ms, as shared machines make it.
typedef double Noise(Random *random, size_t pair);

static double noise_even(Random *random, size_t pair) {
    (void)pair;
    return 100 * (1 + 0.01 * normal(random));
}

static double noise_skewed(Random *random, size_t pair) { // mostly fast, now and then slower
    (void)pair;
    return 100 * exp(0.03 * fabs(normal(random)));
}

static double noise_spikes(Random *random, size_t pair) { // one of ten runs is disturbed
    (void)pair;
    return 100 * (1 + 0.005 * normal(random)) * (random_unit(random) < 0.1 ? 1.3 : 1);
}

static double noise_drift(Random *random, size_t pair) { // a machine that gets slower while it is measured
    return 100 * (1 + 0.01 * (double)pair) * (1 + 0.01 * normal(random));
}

// How often a change is called where `after` really takes `factor` times as long; *ret_covered: how often the interval
// holds that factor.
static double share_called(Noise *noise, double factor, Verdict verdict, uint64_t seed, double *ret_covered) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    Random random = {seed};
    size_t called = 0, covered = 0;
    for (size_t trial = 0; trial < TRIALS; trial++, arena_reset(&arena)) {
        double before[PAIRS], after[PAIRS];
        for (size_t i = 0; i < PAIRS; i++) {
            before[i] = noise(&random, i);
            after[i] = factor * noise(&random, i);
        }
        Change change;
        CHECK_OK(change_judge(&arena, before, after, PAIRS, &change, &err));
        called += verdict == VERDICT_NONE ? change.verdict != VERDICT_NONE : change.verdict == verdict;
        covered += change.low <= factor - 1 && factor - 1 <= change.high;
    }
    arena_done(&arena);
    *ret_covered = (double)covered / TRIALS;
    return (double)called / TRIALS;
}

static Noise *const noises[] = {noise_even, noise_skewed, noise_spikes, noise_drift};

// Of a 95 % interval one of twenty may miss; 1,500 trials tell that to within 1.2 % (two standard errors).
START_TEST(noise_is_no_change) {
    for (size_t i = 0; i < ARRAY_COUNT(noises); i++) {
        double covered, rate = share_called(noises[i], 1, VERDICT_NONE, 1 + i, &covered);
        ck_assert_msg(rate <= 0.062, "noise %zu passes for a change in %.1f %% of comparisons", i, rate * 100);
        ck_assert_double_ge(covered, 0.938);
    }
}
END_TEST

// A change three times as large as one run's noise is found; of one direction, never called the other.
START_TEST(changes_are_found) {
    double covered;
    ck_assert_double_ge(share_called(noise_even, 1.03, VERDICT_SLOWER, 11, &covered), 0.99);
    ck_assert_double_ge(covered, 0.935);
    ck_assert_double_ge(share_called(noise_even, 0.97, VERDICT_FASTER, 12, &covered), 0.99);
    ck_assert_double_eq(share_called(noise_even, 1.03, VERDICT_FASTER, 13, &covered), 0);
    ck_assert_double_ge(share_called(noise_spikes, 1.5, VERDICT_SLOWER, 14, &covered), 0.75);
}
END_TEST

START_TEST(sentences) {
    static const struct {
        Change change;
        const char *text;
    } cases[] = {
        {{VERDICT_NONE, 0.002, -0.004, 0.009, 12}, "no change shown: -0.4 % .. +0.9 %"},
        {{VERDICT_SLOWER, 0.031, 0.022, 0.040, 12}, "slower by 3.1 % (2.2 .. 4.0)"},
        {{VERDICT_FASTER, -0.02, -0.029, -0.011, 12}, "faster by 2.0 % (1.1 .. 2.9)"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        Buffer text = {0};
        change_print(&cases[i].change, &text);
        ck_assert_str_eq(text.data, cases[i].text);
        buffer_done(&text);
    }
}
END_TEST

START_TEST(edges) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    double ones[] = {1, 1, 1, 1, 1, 1}, twos[] = {2, 2, 2, 2, 2, 2}, bad[] = {1, 1, 0, 1, 1, 1};
    Change change;
    CHECK_OK(change_judge(&arena, ones, ones, 6, &change, &err));
    ck_assert(change.verdict == VERDICT_NONE && change.relative == 0 && change.pairs == 6);
    CHECK_OK(change_judge(&arena, ones, twos, 6, &change, &err));
    ck_assert(change.verdict == VERDICT_SLOWER);
    ck_assert_double_eq_tol(change.relative, 1, 1e-12);
    CHECK_FAILS(change_judge(&arena, ones, twos, 5, &change, &err), ERR_FORMAT,
                "there are 5 pairs of times, at least 6 are needed to tell a change from noise");
    CHECK_FAILS(change_judge(&arena, ones, bad, 6, &change, &err), ERR_FORMAT,
                "pair 3 holds 1 and 0, expected two times above 0");
    bad[2] = NAN;
    CHECK_FAILS(change_judge(&arena, bad, ones, 6, &change, &err), ERR_FORMAT, "pair 3");
    arena_done(&arena);
}
END_TEST

// Of normal samples the interval is close to Student's: for ten samples 2.262 standard errors to each side.
START_TEST(interval_is_students) {
    Random random = {5};
    double ratio = 0;
    enum { N = 10, ROUNDS = 400 };
    for (int r = 0; r < ROUNDS; r++) {
        double values[N], squares = 0;
        for (int i = 0; i < N; i++)
            values[i] = normal(&random);
        double mean = statistics_mean(values, N);
        for (int i = 0; i < N; i++)
            squares += (values[i] - mean) * (values[i] - mean);
        Interval interval = statistics_mean_interval(values, N, BOOTSTRAP_SEED);
        ck_assert_double_eq_tol(interval.mean, mean, 1e-12);
        ratio += (interval.high - interval.low) / 2 / sqrt(squares / (N - 1) / N) / ROUNDS;
    }
    ck_assert_double_ge(ratio, 2.0);
    ck_assert_double_le(ratio, 2.7);
}
END_TEST

TEST_MAIN("measure/change", noise_is_no_change, changes_are_found, sentences, edges, interval_is_students)
