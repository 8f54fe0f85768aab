// SPDX-License-Identifier: Apache-2.0
// Finding the end of a text inside another.
#include "engine/lookup.h"

#include <string.h>

// Where in text [text_count] the word after the last place of tail [length] is; 0: nowhere, or nothing follows.
static size_t place_after(const int32_t *text, size_t text_count, const int32_t *tail, size_t length) {
    for (size_t after = text_count; after-- > length;)
        if (memcmp(text + after - length, tail, length * sizeof *tail) == 0)
            return after;
    return 0;
}

size_t lookup_guess(const int32_t *source, size_t source_count, const int32_t *history, size_t count, size_t most,
                    int32_t *ret_guesses) {
    for (size_t length = LOOKUP_LONGEST; length > 0 && most > 0; length--) {
        if (count < length + 1) // the start token is no word
            continue;
        const int32_t *tail = history + count - length, *text = history;
        size_t text_count = count, at = place_after(history, count, tail, length);
        if (!at) {
            text = source;
            text_count = source_count;
            at = place_after(source, source_count, tail, length);
        }
        if (!at)
            continue;
        size_t guesses = text_count - at < most ? text_count - at : most;
        memcpy(ret_guesses, text + at, guesses * sizeof *ret_guesses);
        return guesses;
    }
    return 0;
}

size_t lookup_next(size_t most, size_t guessed, size_t right) {
    if (guessed == 0)
        return most;
    if (right < guessed)
        return right + 1;
    return 2 * most < LOOKUP_MOST ? 2 * most : LOOKUP_MOST;
}
