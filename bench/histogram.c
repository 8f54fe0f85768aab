// SPDX-License-Identifier: Apache-2.0
#include "bench/histogram.h"

#include <math.h>
#include <stddef.h>

enum { PART_BITS = 7 }; // of HISTOGRAM_PARTS

// Values below 128 have a bucket each; above, the seven bits behind the leading one choose it.
static size_t bucket_of(uint64_t value) {
    if (value < HISTOGRAM_PARTS)
        return (size_t)value;
    int octave = 63 - __builtin_clzll(value) - PART_BITS;
    if (octave >= HISTOGRAM_OCTAVES)
        return (size_t)(HISTOGRAM_OCTAVES + 1) * HISTOGRAM_PARTS - 1;
    return (size_t)(octave + 1) * HISTOGRAM_PARTS + (size_t)(value >> octave) - HISTOGRAM_PARTS;
}

static uint64_t middle_of(size_t bucket) {
    if (bucket < HISTOGRAM_PARTS)
        return bucket;
    int octave = (int)(bucket / HISTOGRAM_PARTS) - 1;
    uint64_t low = (uint64_t)(HISTOGRAM_PARTS + bucket % HISTOGRAM_PARTS) << octave;
    return low + (((uint64_t)1 << octave) - 1) / 2;
}

void histogram_add(Histogram *histogram, uint64_t value) {
    histogram->counts[bucket_of(value)]++;
    histogram->count++;
    histogram->sum += (double)value;
    if (value > histogram->most)
        histogram->most = value;
}

uint64_t histogram_quantile(const Histogram *histogram, double q) {
    uint64_t rank = (uint64_t)ceil(q * (double)histogram->count), seen = 0;
    for (size_t i = 0; i < sizeof histogram->counts / sizeof *histogram->counts; i++) {
        seen += histogram->counts[i];
        if (seen && seen >= rank)
            return middle_of(i) < histogram->most ? middle_of(i) : histogram->most;
    }
    return 0;
}

double histogram_mean(const Histogram *histogram) {
    return histogram->count ? histogram->sum / (double)histogram->count : 0;
}
