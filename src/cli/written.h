// SPDX-License-Identifier: Apache-2.0
// What commands that write a model tell of it: sizes, notes and who loads it.
#pragma once

#include "compress/rewrite.h"

static inline double megabytes(size_t bytes) {
    return (double)bytes / 1e6;
}

// In percent of what was; negative where it grew.
static inline double reduction(size_t original, size_t now) {
    return original ? 100 * (1 - (double)now / (double)original) : 0;
}

// Adds the members `"notes":[...],"loaders":{...}`; `first_note`, if not NULL, goes before the report's.
void written_json(Buffer *out, const RewriteReport *report, const char *first_note);

// Tells the notes on standard error, a line each.
void written_tell(const RewriteReport *report);
