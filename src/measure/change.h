// SPDX-License-Identifier: Apache-2.0
// Change: whether one of two programs takes longer than the other, from pairs of times taken side by side. Noise is
// never called a change: the verdict needs both
//   - a 95 % interval of the mean of the pairs' log ratios that leaves 0 out, by the studentized bootstrap (B. Efron,
//     R. Tibshirani, "An Introduction to the Bootstrap", 1993, 12.5; the percentile bootstrap is too narrow for a dozen
//     pairs), and
//   - a sign-flip test at 5 % (R. A. Fisher, "The Design of Experiments", 1935): where both programs are the same, each
//     ratio is as likely as its inverse, whatever the noise looks like, so that this test errs in at most one of twenty
//     comparisons. Where it does not agree, the interval is widened to 0.
// tests/measure/test_change.c simulates both with several kinds of noise. What shifts both times of a pair alike
// cancels; the order within pairs has to alternate so that drift does, too.
#pragma once

#include "base/arena.h"
#include "base/buffer.h"
#include "base/status.h"

enum { CHANGE_PAIRS_LEAST = 6, CHANGE_PAIRS_MOST = 1 << 14 };

typedef enum Verdict { VERDICT_NONE, VERDICT_SLOWER, VERDICT_FASTER } Verdict;

// `relative` is 0.03 where `after` takes 3 % longer (geometric mean over the pairs), within [low, high].
typedef struct Change {
    Verdict verdict;
    double relative, low, high;
    size_t pairs;
} Change;

// Judges times before[i], after[i] [count]. ERR_FORMAT for fewer than CHANGE_PAIRS_LEAST pairs or a time that is no
// finite number above 0; ERR_LIMIT. The same times give the same answer. The arena is scratch.
MUST_CHECK Status change_judge(Arena *arena, const double *before, const double *after, size_t count,
                               Change *ret_change, Error *err);

// Appends the sentence: "no change shown: -0.4 % .. +0.9 %", "slower by 3.1 % (2.2 .. 4.0)", "faster by 2.0 % (1.1 ..
// 2.9)".
void change_print(const Change *change, Buffer *out);

// "none", "slower", "faster".
const char *verdict_name(Verdict verdict);
