// SPDX-License-Identifier: Apache-2.0
// Pearson's statistic for tests of random draws.
#pragma once

#include <math.h>
#include <stddef.h>

// How far counts lie from expected ones, and the bound that a right distribution passes all but once in 10^5 times
// (Wilson and Hilferty's approximation of the chi-square quantile, z = 4.265).
static inline double chi_square(const double *counts, const double *expected, size_t cells) {
    double sum = 0;
    for (size_t i = 0; i < cells; i++)
        sum += expected[i] > 0 ? (counts[i] - expected[i]) * (counts[i] - expected[i]) / expected[i] : 0;
    return sum;
}

static inline double chi_square_bound(size_t degrees) {
    double d = (double)degrees;
    double root = 1 - 2 / (9 * d) + 4.265 * sqrt(2 / (9 * d));
    return d * root * root * root;
}
