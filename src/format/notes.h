// SPDX-License-Identifier: Apache-2.0
// Notes: sentences for the caller about things that were skipped or look odd but are no errors.
#pragma once

#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"

enum { NOTES_MOST = 64 };

typedef struct Notes {
    const char **texts; // NOTES_MOST places, in the caller's arena
    size_t count;
} Notes;

// Adds one sentence, unless it is there already or NOTES_MOST are. Texts live in `arena`.
MUST_CHECK Status notes_add(Notes *notes, Arena *arena, Error *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
