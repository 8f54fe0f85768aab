// SPDX-License-Identifier: Apache-2.0
// Random: a small seeded generator (SplitMix64, Steele et al. 2014): the same seed gives the same numbers everywhere.
#pragma once

#include <stdint.h>

typedef struct Random {
    uint64_t state;
} Random;

static inline uint64_t random_next(Random *random) {
    uint64_t z = random->state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

// Uniform in [0, bound), bound > 0, by multiplication (bias below 2^-32 for bounds that fit 32 bits).
static inline uint32_t random_below(Random *random, uint32_t bound) {
    return (uint32_t)((random_next(random) >> 32) * bound >> 32);
}

// Uniform in [0, 1) with 53 bits.
static inline double random_unit(Random *random) {
    return (double)(random_next(random) >> 11) * 0x1p-53;
}
