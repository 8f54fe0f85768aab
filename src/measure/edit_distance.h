// SPDX-License-Identifier: Apache-2.0
// How far generated token ids are from the labels of a data row: exact match and token error.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

typedef struct TokenErrors {
    bool exact;
    size_t distance;    // insertions, deletions and substitutions (Levenshtein)
    double token_error; // distance / labels; with no labels, the distance itself
} TokenErrors;

// Compares ids with labels. Scratch is 4 bytes per label in the arena. ERR_LIMIT where the product of the lengths
// passes 2^30 (about a second).
MUST_CHECK Status token_errors_count(Arena *arena, const int32_t *ids, size_t id_count, const int32_t *labels,
                                     size_t label_count, TokenErrors *ret_errors, Error *err);
