// SPDX-License-Identifier: Apache-2.0
// Histogram: any number of times in fixed memory. Buckets are 1/128 of a power of two wide, so a quantile is within
// 0.4 % of the exact one; the mean and the greatest are exact.
//
//     histogram_add(&histogram, ns);
//     uint64_t p99 = histogram_quantile(&histogram, 0.99);
#pragma once

#include <stdint.h>

enum { HISTOGRAM_PARTS = 128, HISTOGRAM_OCTAVES = 36 };

typedef struct Histogram {
    uint64_t counts[(HISTOGRAM_OCTAVES + 1) * HISTOGRAM_PARTS];
    uint64_t count, most;
    double sum;
} Histogram; // all zeros: nothing was added

void histogram_add(Histogram *histogram, uint64_t value);

// The least value such that a share `q` (0 to 1) of those added are no greater; 0 where nothing was added.
uint64_t histogram_quantile(const Histogram *histogram, double q);

double histogram_mean(const Histogram *histogram);
