// SPDX-License-Identifier: Apache-2.0
#include "serve/stops.h"

#include <string.h>

// Where `stop` begins in text[from, bytes), or could: the whole of it, or as much of it as there is text.
static size_t find_one(const char *stop, const char *text, size_t bytes, size_t from, bool *ret_whole) {
    size_t length = strlen(stop);
    *ret_whole = false;
    while (from < bytes) {
        const char *at = memchr(text + from, stop[0], bytes - from);
        if (!at)
            return bytes;
        from = (size_t)(at - text);
        size_t there = bytes - from < length ? bytes - from : length;
        if (memcmp(at, stop, there) == 0) {
            *ret_whole = there == length;
            return from;
        }
        from++;
    }
    return bytes;
}

size_t stops_find(const char *const *stops, size_t count, const char *text, size_t bytes, size_t sure, bool complete,
                  bool *ret_met) {
    size_t first = bytes;
    *ret_met = false;
    for (size_t i = 0; i < count; i++) {
        bool whole;
        size_t at = find_one(stops[i], text, bytes, sure, &whole);
        if (at > first || at == bytes || (complete && !whole))
            continue;
        *ret_met = whole || (at == first && *ret_met); // one that may begin before a whole one has to be waited for
        first = at;
    }
    return first;
}
