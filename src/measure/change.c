// SPDX-License-Identifier: Apache-2.0
// The verdict over pairs of times.
#include "measure/change.h"

#include <math.h>

#include "base/random.h"
#include "measure/statistics.h"

enum { FLIPS = 2000 };

// The share of sign flips of the ratios whose mean is at least as far from 0 as theirs, from below by the identity's
// own share.
static double flip_share(const double *ratios, size_t count) {
    Random random = {BOOTSTRAP_SEED};
    double sum = statistics_mean(ratios, count) * (double)count, limit = fabs(sum) * (1 - 1e-9);
    size_t as_far = 1;
    for (size_t flip = 0; flip < FLIPS; flip++) {
        double flipped = 0;
        uint64_t bits = 0;
        for (size_t i = 0; i < count; i++, bits >>= 1) {
            if (i % 64 == 0)
                bits = random_next(&random);
            flipped += bits & 1 ? -ratios[i] : ratios[i];
        }
        as_far += fabs(flipped) >= limit;
    }
    return (double)as_far / (FLIPS + 1);
}

Status change_judge(Arena *arena, const double *before, const double *after, size_t count, Change *ret_change,
                    Error *err) {
    if (count < CHANGE_PAIRS_LEAST)
        return FAIL(err, ERR_FORMAT, "there are %zu pairs of times, at least %d are needed to tell a change from noise",
                    count, CHANGE_PAIRS_LEAST);
    if (count > CHANGE_PAIRS_MOST)
        return FAIL(err, ERR_LIMIT, "there are %zu pairs of times, at most %d are taken", count, CHANGE_PAIRS_MOST);
    double *ratios = arena_array(arena, count, sizeof *ratios, err);
    TRY_NEW(ratios);
    for (size_t i = 0; i < count; i++) {
        if (!(isfinite(before[i]) && before[i] > 0 && isfinite(after[i]) && after[i] > 0))
            return FAIL(err, ERR_FORMAT, "pair %zu holds %g and %g, expected two times above 0", i + 1, before[i],
                        after[i]);
        ratios[i] = log(after[i]) - log(before[i]);
    }
    Interval interval = statistics_mean_interval(ratios, count, BOOTSTRAP_SEED);
    if (flip_share(ratios, count) > 0.05) {
        interval.low = fmin(interval.low, 0);
        interval.high = fmax(interval.high, 0);
    }
    *ret_change = (Change){.verdict = interval.low > 0    ? VERDICT_SLOWER
                                      : interval.high < 0 ? VERDICT_FASTER
                                                          : VERDICT_NONE,
                           .relative = expm1(interval.mean),
                           .low = expm1(interval.low),
                           .high = expm1(interval.high),
                           .pairs = count};
    return OK;
}

const char *verdict_name(Verdict verdict) {
    static const char *const names[] = {"none", "slower", "faster"};
    return names[verdict];
}

void change_print(const Change *change, Buffer *out) {
    double low = change->low * 100, high = change->high * 100, middle = change->relative * 100;
    if (change->verdict == VERDICT_NONE)
        buffer_format(out, "no change shown: %+.1f %% .. %+.1f %%", low, high);
    else if (change->verdict == VERDICT_SLOWER)
        buffer_format(out, "slower by %.1f %% (%.1f .. %.1f)", middle, low, high);
    else
        buffer_format(out, "faster by %.1f %% (%.1f .. %.1f)", -middle, -high, -low);
}
