// SPDX-License-Identifier: Apache-2.0
// Each rule over the histogram of magnitudes.
#include "measure/threshold.h"

#include <math.h>
#include <string.h>

enum { LEVELS = 128, MSE_LEAST_BIN = STATISTICS_BINS / 16 };

static const char *const names[THRESHOLD_RULE_COUNT] = {"minmax", "moving-average", "percentile", "entropy", "mse"};

const char *threshold_rule_name(ThresholdRule rule) {
    return names[rule];
}

bool threshold_rule_from_name(const char *name, ThresholdRule *ret) {
    for (ThresholdRule rule = 0; rule < THRESHOLD_RULE_COUNT; rule++)
        if (strcmp(names[rule], name) == 0) {
            *ret = rule;
            return true;
        }
    return false;
}

// One more than the last bin that holds something.
static size_t bins_used(const InputStatistics *s) {
    size_t used = STATISTICS_BINS;
    while (used && !s->histogram[used - 1])
        used--;
    return used;
}

// The magnitude below which the share lies; elements are even within a bin.
static double percentile_threshold(const InputStatistics *s, double percentile) {
    double total = 0, below = 0, width = (double)s->range / STATISTICS_BINS;
    for (size_t i = 0; i < STATISTICS_BINS; i++)
        total += (double)s->histogram[i];
    double wanted = percentile / 100 * total;
    for (size_t i = 0; i < STATISTICS_BINS; i++) {
        double count = (double)s->histogram[i];
        if (count > 0 && below + count >= wanted)
            return ((double)i + (wanted - below) / count) * width;
        below += count;
    }
    return (double)s->range;
}

static double times_log(double x) {
    return x > 0 ? x * log(x) : 0;
}

// Sums over bins [0, i), so that a level's come from two of them.
typedef struct Prefix {
    double counts[STATISTICS_BINS + 1];     // elements
    double logs[STATISTICS_BINS + 1];       // count * log(count)
    uint32_t nonempty[STATISTICS_BINS + 1]; // bins that hold something
} Prefix;

static void prefix_fill(const InputStatistics *s, Prefix *prefix) {
    prefix->counts[0] = prefix->logs[0] = 0;
    prefix->nonempty[0] = 0;
    for (size_t i = 0; i < STATISTICS_BINS; i++) {
        double count = (double)s->histogram[i ? i : 1]; // zeros cost nothing in any window
        prefix->counts[i + 1] = prefix->counts[i] + count;
        prefix->logs[i + 1] = prefix->logs[i] + times_log(count);
        prefix->nonempty[i + 1] = prefix->nonempty[i] + (count > 0);
    }
}

// KL(P || Q) of the window [0, end): P has all beyond in its last bin; Q is the window alone, the bins of a level all
// at the mean of those that hold something. With sums n_p and n_q,
//     KL = (sum p log p - sum p log q) / n_p - log n_p + log n_q, and log q is one number in a level.
static double window_divergence(const Prefix *prefix, size_t end, double all) {
    double within = prefix->counts[end], beyond = all - within, last = within - prefix->counts[end - 1], cross = 0;
    for (size_t level = 0; level < LEVELS; level++) {
        size_t from = (level * end + LEVELS - 1) / LEVELS, to = ((level + 1) * end + LEVELS - 1) / LEVELS;
        double held = prefix->counts[to] - prefix->counts[from];
        uint32_t nonempty = prefix->nonempty[to] - prefix->nonempty[from];
        if (held > 0)
            cross += (held + (level == LEVELS - 1 ? beyond : 0)) * log(held / nonempty);
    }
    double own = prefix->logs[end - 1] + times_log(last + beyond);
    return (own - cross) / all - log(all) + log(within);
}

static double entropy_threshold(const InputStatistics *s) {
    Prefix prefix;
    prefix_fill(s, &prefix);
    size_t used = bins_used(s), best = used;
    double least = INFINITY, all = prefix.counts[used];
    for (size_t end = LEVELS; end <= used; end++) {
        bool last_empty = prefix.nonempty[end] == prefix.nonempty[end - 1];
        double divergence = last_empty ? INFINITY : window_divergence(&prefix, end, all);
        if (divergence < least) {
            least = divergence;
            best = end;
        }
    }
    return (double)best * (double)s->range / STATISTICS_BINS;
}

// Sum of squared errors of the bins' centres, in bins; given up above `most`.
static double squared_error(const InputStatistics *s, size_t end, size_t used, double most) {
    double step = (double)end / 127, sum = 0;
    for (size_t i = 0; i < used && sum <= most; i++) {
        if (!s->histogram[i])
            continue;
        double centre = (double)i + 0.5, level = nearbyint(centre / step);
        double error = centre - (level < 127 ? level : 127) * step;
        sum += (double)s->histogram[i] * error * error;
    }
    return sum;
}

static double mse_threshold(const InputStatistics *s) {
    size_t used = bins_used(s), best = used;
    double least = squared_error(s, used, used, INFINITY);
    for (size_t end = MSE_LEAST_BIN; end < used; end++) {
        double error = squared_error(s, end, used, least);
        if (error < least) {
            least = error;
            best = end;
        }
    }
    return (double)best * (double)s->range / STATISTICS_BINS;
}

float threshold_choose(const InputStatistics *s, ThresholdRule rule, double percentile) {
    double absmax = (double)input_statistics_absmax(s), threshold = absmax;
    if (!(absmax > 0))
        return 0;
    if (rule == THRESHOLD_MOVING_AVERAGE)
        threshold = fmax((double)s->average_most, -(double)s->average_least);
    else if (rule == THRESHOLD_PERCENTILE)
        threshold = percentile_threshold(s, percentile);
    else if (rule == THRESHOLD_ENTROPY)
        threshold = entropy_threshold(s);
    else if (rule == THRESHOLD_MSE)
        threshold = mse_threshold(s);
    return (float)fmin(threshold, absmax);
}
