// SPDX-License-Identifier: Apache-2.0
// Lookup: guesses of what a greedy sequence goes on with. A summary repeats its source, so the words that followed the
// last few where they stood before, in the source or in the text so far, are likely to follow again. Guesses are
// checked in one step, so they cost little and change nothing. Pure.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
    LOOKUP_MOST = 7,    // guesses of a step
    LOOKUP_LONGEST = 3, // words that have to stand before
};

// At most `most` words to follow history [count], which begins with the start token; returns how many. The longest
// match counts, from LOOKUP_LONGEST words down to one; of equal ones the text so far before the source, the later place
// before the earlier.
size_t lookup_guess(const int32_t *source, size_t source_count, const int32_t *history, size_t count, size_t most,
                    int32_t *ret_guesses);

// How many to guess after `right` of `guessed` were right, when `most` were asked for: more while all are right, else
// as many as were right and one.
size_t lookup_next(size_t most, size_t guessed, size_t right);
