// SPDX-License-Identifier: Apache-2.0
// Lengths: how many tokens the outputs of made-up requests have.
#pragma once

#include <stddef.h>

#include "base/random.h"
#include "base/status.h"

typedef enum LengthKind { LENGTHS_FIXED, LENGTHS_UNIFORM, LENGTHS_GEOMETRIC } LengthKind;

typedef struct Lengths {
    LengthKind kind;
    double low, high; // fixed: `high`; uniform: both included; geometric: mean and most
} Lengths;

// "40", "10:80" (uniform), "geometric:45:200" (mean, at most). ERR_USAGE.
MUST_CHECK Status lengths_parse(const char *text, Lengths *ret, Error *err);

size_t lengths_draw(const Lengths *lengths, Random *random);
