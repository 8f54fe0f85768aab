// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <math.h>

#include "base/random.h"
#include "measure/golden.h"
#include "measure/statistics.h"

enum { SAMPLES_MOST = 400 };

static size_t column_read(const json_t *row, const char *key, double *ret_values) {
    const json_t *array = json_object_get(row, key);
    size_t count = json_array_size(array);
    ck_assert(count > 0 && count <= SAMPLES_MOST);
    for (size_t i = 0; i < count; i++)
        ret_values[i] = json_number_value(json_array_get(array, i));
    return count;
}

static void check_row(const json_t *row) {
    double values[SAMPLES_MOST], other[SAMPLES_MOST], sorted[SAMPLES_MOST], percents[16], percentiles[16], interval[3],
        loss[3];
    size_t count = column_read(row, "values", values);
    column_read(row, "other", other);
    ck_assert_double_eq_tol(statistics_mean(values, count), json_number_value(json_object_get(row, "mean")), 1e-14);
    memcpy(sorted, values, count * sizeof *values);
    statistics_sort(sorted, count);
    size_t percent_count = column_read(row, "percents", percents);
    column_read(row, "percentiles", percentiles);
    for (size_t i = 0; i < percent_count; i++)
        ck_assert_double_eq_tol(statistics_percentile(sorted, count, percents[i]), percentiles[i], 1e-15);
    // Other random numbers, so equal only as well as a thousand resamples tell.
    column_read(row, "interval", interval);
    Interval got = statistics_bootstrap(values, count, 1);
    double width = interval[2] - interval[0];
    ck_assert_double_eq_tol(got.low, interval[0], 0.1 * width + 1e-12);
    ck_assert_double_eq_tol(got.mid, interval[1], 0.1 * width + 1e-12);
    ck_assert_double_eq_tol(got.high, interval[2], 0.1 * width + 1e-12);
    column_read(row, "loss", loss);
    RelativeLoss lost = statistics_paired_loss(values, other, count, false, 1);
    width = loss[2] - loss[1];
    ck_assert_double_eq_tol(lost.relative, loss[0], 1e-12);
    ck_assert_double_eq_tol(lost.low, loss[1], 0.1 * width + 1e-12);
    ck_assert_double_eq_tol(lost.high, loss[2], 0.1 * width + 1e-12);
}

START_TEST(goldens) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    Bytes rest = golden_map(&arena, "statistics.jsonl");
    size_t rows = 0;
    for (Bytes line; line_next(&rest, &line); rows++) {
        json_t *row = NULL;
        CHECK_OK(json_parse(&arena, "golden", line, false, &row, &err));
        check_row(row);
    }
    ck_assert_uint_eq(rows, 5);
    arena_done(&arena);
}
END_TEST

START_TEST(seeds_repeat) {
    const double values[] = {0.1, 0.5, 0.2, 0.9, 0.4};
    const double other[] = {0.1, 0.4, 0.3, 0.8, 0.4};
    Interval a = statistics_bootstrap(values, 5, 7);
    Interval b = statistics_bootstrap(values, 5, 7);
    Interval c = statistics_bootstrap(values, 5, 8);
    ck_assert(a.low == b.low && a.mid == b.mid && a.high == b.high);
    ck_assert(a.low != c.low || a.mid != c.mid || a.high != c.high);
    ck_assert(a.low < a.mean && a.mean < a.high);
    RelativeLoss x = statistics_paired_loss(values, other, 5, false, 7);
    RelativeLoss y = statistics_paired_loss(values, other, 5, false, 7);
    ck_assert(x.relative == y.relative && x.low == y.low && x.high == y.high);
}
END_TEST

START_TEST(losses) {
    const double half[] = {0.5, 0.25, 0.125};
    const double whole[] = {1, 0.5, 0.25};
    const double none[] = {0, 0, 0};
    // The same share is lost of every sample, so pairing leaves no doubt.
    RelativeLoss loss = statistics_paired_loss(whole, half, 3, false, 1);
    ck_assert(loss.relative == 0.5 && loss.low == 0.5 && loss.high == 0.5);
    loss = statistics_paired_loss(half, whole, 3, true, 1); // errors that double
    ck_assert(loss.relative == 1 && loss.low == 1 && loss.high == 1);
    loss = statistics_paired_loss(half, whole, 3, false, 1); // a gain
    ck_assert(loss.relative == -1);
    loss = statistics_paired_loss(none, half, 3, false, 1);
    ck_assert(isnan(loss.relative) && isnan(loss.low) && isnan(loss.high));
    const double rare[] = {0, 0, 1}; // some resamples of the baseline are all 0
    loss = statistics_paired_loss(rare, rare, 3, false, 1);
    ck_assert(loss.relative == 0 && loss.low == 0 && loss.high == 0);
    ck_assert(statistics_mean(none, 0) == 0);
}
END_TEST

// The loss on average against a bootstrap written out here, over the same draws.
START_TEST(losses_resampled_together) {
    enum { COUNT = 30 };
    double was[3][COUNT], now[3][COUNT], means[BOOTSTRAP_RESAMPLES];
    Random values = {5}, random = {9};
    PairedScores metrics[3];
    for (size_t m = 0; m < 3; m++) {
        for (size_t i = 0; i < COUNT; i++) {
            was[m][i] = 0.2 + random_unit(&values);
            now[m][i] = was[m][i] * (0.5 + 0.6 * random_unit(&values));
        }
        metrics[m] = (PairedScores){was[m], now[m], m == 2};
    }
    for (size_t r = 0; r < BOOTSTRAP_RESAMPLES; r++) {
        uint32_t drawn[COUNT];
        for (size_t i = 0; i < COUNT; i++)
            drawn[i] = random_below(&random, COUNT);
        means[r] = 0;
        for (size_t m = 0; m < 3; m++) {
            double before = 0, after = 0;
            for (size_t i = 0; i < COUNT; i++) {
                before += was[m][drawn[i]];
                after += now[m][drawn[i]];
            }
            means[r] += (m == 2 ? after - before : before - after) / before / 3;
        }
    }
    statistics_sort(means, BOOTSTRAP_RESAMPLES);
    RelativeLoss each[3], mean, alone;
    statistics_paired_losses(metrics, 3, COUNT, 9, each, &mean);
    ck_assert_double_eq_tol(mean.low, statistics_percentile(means, BOOTSTRAP_RESAMPLES, 2.5), 1e-12);
    ck_assert_double_eq_tol(mean.high, statistics_percentile(means, BOOTSTRAP_RESAMPLES, 97.5), 1e-12);
    double sum = 0;
    for (size_t m = 0; m < 3; m++) {
        sum += each[m].relative;
        alone = statistics_paired_loss(was[m], now[m], COUNT, m == 2, 9);
        ck_assert_mem_eq(&alone, &each[m], sizeof alone);
    }
    ck_assert_double_eq_tol(mean.relative, sum / 3, 1e-12);
    ck_assert(mean.low < mean.relative && mean.relative < mean.high);
    // A metric that the baseline always misses has no part in it.
    memset(was[1], 0, sizeof was[1]);
    statistics_paired_losses(metrics, 3, COUNT, 9, each, &mean);
    ck_assert(isnan(each[1].relative) && isnan(each[1].low));
    ck_assert_double_eq_tol(mean.relative, (each[0].relative + each[2].relative) / 2, 1e-12);
    ck_assert(mean.low < mean.relative && mean.relative < mean.high);
    statistics_paired_losses(&metrics[1], 1, COUNT, 9, each, &mean);
    ck_assert(isnan(mean.relative) && isnan(mean.low) && isnan(mean.high));
}
END_TEST

START_TEST(latencies) {
    double times_ns[101];
    for (size_t i = 0; i < ARRAY_COUNT(times_ns); i++)
        times_ns[i] = (double)((i * 37) % 101) * 1e6; // 0 to 100 ms, out of order
    LatencySummary s = statistics_latency(times_ns, ARRAY_COUNT(times_ns));
    ck_assert_double_eq_tol(s.mean_ms, 50, 1e-9);
    ck_assert_double_eq_tol(s.p50_ms, 50, 1e-9);
    ck_assert_double_eq_tol(s.p95_ms, 95, 1e-9);
    ck_assert_double_eq_tol(s.p99_ms, 99, 1e-9);
    double one_ns[] = {2.5e6};
    s = statistics_latency(one_ns, 1);
    ck_assert(s.mean_ms == 2.5 && s.p50_ms == 2.5 && s.p99_ms == 2.5);
}
END_TEST

TEST_MAIN("measure/statistics", goldens, seeds_repeat, losses, losses_resampled_together, latencies)
