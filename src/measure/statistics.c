// SPDX-License-Identifier: Apache-2.0
// Means, percentiles and bootstrap intervals.
#include "measure/statistics.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/random.h"

static const double LOW_PERCENT = 2.5;
static const double HIGH_PERCENT = 97.5;
static const double NS_PER_MS = 1e6;

double statistics_mean(const double *values, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return count ? sum / (double)count : 0;
}

static int values_compare(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

void statistics_sort(double *values, size_t count) {
    if (count)
        qsort(values, count, sizeof *values, values_compare);
}

double statistics_percentile(const double *sorted, size_t count, double percent) {
    assert(count > 0 && percent >= 0 && percent <= 100);
    double at = percent / 100 * (double)(count - 1);
    size_t below = (size_t)at;
    if (below >= count - 1)
        return sorted[count - 1];
    double part = at - (double)below;
    double step = sorted[below + 1] - sorted[below];
    // From the nearer neighbour, as numpy does, so that the ends are hit exactly.
    return part < 0.5 ? sorted[below] + step * part : sorted[below + 1] - step * (1 - part);
}

Interval statistics_bootstrap(const double *values, size_t count, uint64_t seed) {
    assert(count > 0 && count <= UINT32_MAX);
    double means[BOOTSTRAP_RESAMPLES];
    Random random = {seed};
    for (size_t r = 0; r < BOOTSTRAP_RESAMPLES; r++) {
        double sum = 0;
        for (size_t i = 0; i < count; i++)
            sum += values[random_below(&random, (uint32_t)count)];
        means[r] = sum / (double)count;
    }
    statistics_sort(means, BOOTSTRAP_RESAMPLES);
    return (Interval){
        .mean = statistics_mean(values, count),
        .low = statistics_percentile(means, BOOTSTRAP_RESAMPLES, LOW_PERCENT),
        .mid = statistics_percentile(means, BOOTSTRAP_RESAMPLES, 50),
        .high = statistics_percentile(means, BOOTSTRAP_RESAMPLES, HIGH_PERCENT),
    };
}

// The mean of a resample (all samples in order without a generator) and its standard error.
static double mean_and_error(const double *values, size_t count, Random *random, double *ret_error) {
    double mean = 0, squares = 0; // Welford's sums, which keep small spreads around large means
    for (size_t i = 0; i < count; i++) {
        double value = values[random ? random_below(random, (uint32_t)count) : i], off = value - mean;
        mean += off / (double)(i + 1);
        squares += off * (value - mean);
    }
    *ret_error = sqrt(squares / ((double)(count - 1) * (double)count));
    return mean;
}

Interval statistics_mean_interval(const double *values, size_t count, uint64_t seed) {
    assert(count > 1 && count <= UINT32_MAX);
    double t[BOOTSTRAP_RESAMPLES], error;
    double mean = mean_and_error(values, count, NULL, &error);
    size_t defined = 0; // resamples that do not draw one value only
    Random random = {seed};
    for (size_t r = 0; r < BOOTSTRAP_RESAMPLES; r++) {
        double its_error, its_mean = mean_and_error(values, count, &random, &its_error);
        if (its_error > 0)
            t[defined++] = (its_mean - mean) / its_error;
    }
    if (!defined)
        return (Interval){mean, mean, mean, mean};
    statistics_sort(t, defined);
    return (Interval){.mean = mean,
                      .low = mean - statistics_percentile(t, defined, HIGH_PERCENT) * error,
                      .mid = mean,
                      .high = mean - statistics_percentile(t, defined, LOW_PERCENT) * error};
}

// Sums serve as well as means: both systems have the same number of samples.
static double loss_of_sums(double baseline, double candidate, bool less_is_better) {
    if (baseline == 0)
        return NAN;
    return less_is_better ? candidate / baseline - 1 : 1 - candidate / baseline;
}

// The mean of the losses of those metrics that have one over all samples; NaN where one of these has none here.
static double mean_loss(const double *losses, const RelativeLoss *whole, size_t metrics) {
    double sum = 0;
    size_t used = 0;
    for (size_t m = 0; m < metrics; m++)
        if (!isnan(whole[m].relative)) {
            sum += losses[m];
            used++;
        }
    return used ? sum / (double)used : NAN;
}

// The percentiles of the resamples' losses, [defined].
static RelativeLoss loss_interval(double relative, double *losses, size_t defined) {
    if (isnan(relative) || !defined)
        return (RelativeLoss){relative, relative, relative};
    statistics_sort(losses, defined);
    return (RelativeLoss){relative, statistics_percentile(losses, defined, LOW_PERCENT),
                          statistics_percentile(losses, defined, HIGH_PERCENT)};
}

void statistics_paired_losses(const PairedScores *metrics, size_t metric_count, size_t count, uint64_t seed,
                              RelativeLoss *ret_losses, RelativeLoss *ret_mean) {
    assert(count > 0 && count <= UINT32_MAX && metric_count > 0 && metric_count <= PAIRED_METRICS_MOST);
    double losses[PAIRED_METRICS_MOST + 1][BOOTSTRAP_RESAMPLES]; // the last row is of the mean
    double whole[PAIRED_METRICS_MOST];
    size_t defined[PAIRED_METRICS_MOST + 1] = {0}; // resamples whose baseline is not 0
    for (size_t m = 0; m < metric_count; m++) {
        whole[m] = loss_of_sums(statistics_mean(metrics[m].baseline, count),
                                statistics_mean(metrics[m].candidate, count), metrics[m].less_is_better);
        ret_losses[m] = (RelativeLoss){.relative = whole[m]};
    }
    double whole_mean = mean_loss(whole, ret_losses, metric_count);
    Random random = {seed};
    for (size_t r = 0; r < BOOTSTRAP_RESAMPLES; r++) {
        double sums[PAIRED_METRICS_MOST][2] = {{0}}, drawn[PAIRED_METRICS_MOST];
        for (size_t i = 0; i < count; i++) {
            uint32_t at = random_below(&random, (uint32_t)count);
            for (size_t m = 0; m < metric_count; m++) {
                sums[m][0] += metrics[m].baseline[at];
                sums[m][1] += metrics[m].candidate[at];
            }
        }
        for (size_t m = 0; m < metric_count; m++) {
            drawn[m] = loss_of_sums(sums[m][0], sums[m][1], metrics[m].less_is_better);
            if (!isnan(drawn[m]))
                losses[m][defined[m]++] = drawn[m];
        }
        double mean = mean_loss(drawn, ret_losses, metric_count);
        if (!isnan(mean))
            losses[PAIRED_METRICS_MOST][defined[PAIRED_METRICS_MOST]++] = mean;
    }
    for (size_t m = 0; m < metric_count; m++)
        ret_losses[m] = loss_interval(whole[m], losses[m], defined[m]);
    *ret_mean = loss_interval(whole_mean, losses[PAIRED_METRICS_MOST], defined[PAIRED_METRICS_MOST]);
}

RelativeLoss statistics_paired_loss(const double *baseline, const double *candidate, size_t count, bool less_is_better,
                                    uint64_t seed) {
    RelativeLoss loss, mean;
    statistics_paired_losses(&(PairedScores){baseline, candidate, less_is_better}, 1, count, seed, &loss, &mean);
    return loss;
}

LatencySummary statistics_latency(double *times_ns, size_t count) {
    statistics_sort(times_ns, count);
    return (LatencySummary){
        .mean_ms = statistics_mean(times_ns, count) / NS_PER_MS,
        .p50_ms = statistics_percentile(times_ns, count, 50) / NS_PER_MS,
        .p95_ms = statistics_percentile(times_ns, count, 95) / NS_PER_MS,
        .p99_ms = statistics_percentile(times_ns, count, 99) / NS_PER_MS,
    };
}
