// SPDX-License-Identifier: Apache-2.0
// Statistics of a series of samples: mean, percentiles, bootstrap intervals of the mean, and the paired comparison of
// two systems on the same samples (B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993; paired as in P.
// Koehn, "Statistical significance tests for machine translation evaluation", EMNLP 2004). Nothing here allocates.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The seed is what every command uses, so that the same scores give the same interval.
enum { BOOTSTRAP_RESAMPLES = 1000, BOOTSTRAP_SEED = 1 };

// The mean of the samples, and the percentiles 2.5, 50 and 97.5 of the means of 1000 resamples: a 95 % interval, with
// `mid` as rouge_score reports it.
typedef struct Interval {
    double mean, low, mid, high;
} Interval;

// How much worse a candidate is than a baseline: 0.01 for 1 %, negative where it is better. NaN where the baseline's
// mean is 0.
typedef struct RelativeLoss {
    double relative, low, high;
} RelativeLoss;

typedef struct LatencySummary {
    double mean_ms, p50_ms, p95_ms, p99_ms;
} LatencySummary;

// 0 for no values.
double statistics_mean(const double *values, size_t count);

// Sorts in place, ascending; no value may be NaN.
void statistics_sort(double *values, size_t count);

// The value below which `percent` (0 to 100) of the values lie, linear between neighbours as numpy.percentile has it.
// `sorted` ascends; count > 0.
double statistics_percentile(const double *sorted, size_t count, double percent);

// count > 0 and fits 32 bits. The same seed draws the same resamples, so several measures of the same samples are
// resampled together.
Interval statistics_bootstrap(const double *values, size_t count, uint64_t seed);

// The mean and a 95 % interval of it that holds for few samples, too: the studentized bootstrap (Efron and Tibshirani
// 12.5), 1000 resamples. `mid` is the mean. count > 1 and fits 32 bits.
Interval statistics_mean_interval(const double *values, size_t count, uint64_t seed);

// 1 - mean(candidate) / mean(baseline), or mean(candidate) / mean(baseline) - 1 where less is better (errors), and the
// percentiles 2.5 and 97.5 of it over 1000 resamples that draw the same samples of both. count > 0 and fits 32 bits.
RelativeLoss statistics_paired_loss(const double *baseline, const double *candidate, size_t count, bool less_is_better,
                                    uint64_t seed);

// One metric of two systems on the same samples.
typedef struct PairedScores {
    const double *baseline, *candidate; // [count]
    bool less_is_better;
} PairedScores;

enum { PAIRED_METRICS_MOST = 12 };

// statistics_paired_loss of each metric into ret_losses[metric_count], and the loss on average into *ret_mean: the mean
// of the metrics' relative losses, its interval from resamples that draw the same samples for all of them. A metric
// whose baseline's mean is 0 has no loss and no part in the mean; the mean is NaN where no metric has one. metric_count
// > 0; count > 0 and fits 32 bits.
void statistics_paired_losses(const PairedScores *metrics, size_t metric_count, size_t count, uint64_t seed,
                              RelativeLoss *ret_losses, RelativeLoss *ret_mean);

// Of times in nanoseconds, which it sorts in place. count > 0.
LatencySummary statistics_latency(double *times_ns, size_t count);
