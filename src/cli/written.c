// SPDX-License-Identifier: Apache-2.0
// Notes and loaders of a written model, as JSON and for people.
#include "cli/written.h"

#include <stdio.h>
#include <string.h>

void written_json(Buffer *out, const RewriteReport *report, const char *first_note) {
    buffer_add_text(out, "\"notes\":[");
    if (first_note)
        buffer_add_json(out, first_note, strlen(first_note));
    for (size_t i = 0; i < report->weights.notes.count; i++) {
        const char *note = report->weights.notes.texts[i];
        buffer_add_text(out, i || first_note ? "," : "");
        buffer_add_json(out, note, strlen(note));
    }
    buffer_add_text(out, "],\"loaders\":{");
    for (size_t i = 0; i < LOADER_COUNT; i++)
        buffer_format(out, "%s\"%s\":%s", i ? "," : "", report->loaders[i].name,
                      report->loaders[i].takes ? "true" : "false");
    buffer_add_char(out, '}');
}

void written_tell(const RewriteReport *report) {
    for (size_t i = 0; i < report->weights.notes.count; i++)
        fprintf(stderr, "hone: %s\n", report->weights.notes.texts[i]);
}
