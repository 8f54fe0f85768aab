// SPDX-License-Identifier: Apache-2.0
// A short list of distinct sentences.
#include "format/notes.h"

#include <stdio.h>
#include <string.h>

Status notes_add(Notes *notes, Arena *arena, Error *err, const char *format, ...) {
    char text[ERROR_MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (size_t i = 0; i < notes->count; i++)
        if (strcmp(notes->texts[i], text) == 0)
            return OK;
    if (notes->count == NOTES_MOST)
        return OK;
    if (!notes->texts)
        TRY_NEW(notes->texts = arena_array(arena, NOTES_MOST, sizeof *notes->texts, err));
    const char *copy = arena_copy_text(arena, text, strlen(text), err);
    TRY_NEW(copy);
    notes->texts[notes->count++] = copy;
    return OK;
}
