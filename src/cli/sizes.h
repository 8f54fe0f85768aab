// SPDX-License-Identifier: Apache-2.0
// Sizes as commands tell them.
#pragma once

#include <stddef.h>

static inline double megabytes(size_t bytes) {
    return (double)bytes / 1e6;
}

// In percent of what was; negative where it grew.
static inline double reduction(size_t original, size_t now) {
    return original ? 100 * (1 - (double)now / (double)original) : 0;
}
