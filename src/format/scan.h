// SPDX-License-Identifier: Apache-2.0
// Scan: JSON read front to back without building a tree, for texts whose size a stranger chooses (a safetensors header
// may have 100 MB, and as a tree would take fifty times that). Strict RFC 8259: valid UTF-8, no lone surrogates, no
// trailing commas, no leading zeros. Nothing is allocated but the texts that are asked for.
//
//     scan_init(&scan, "header", text);
//     TRY(scan_open(&scan, '{', err));
//     for (bool more;;) {
//         TRY(scan_more(&scan, '}', &more, err));
//         if (!more)
//             break;
//         TRY(scan_key(&scan, arena, &key, err));
//         TRY(scan_integer(&scan, &value, err));
//     }
//     TRY(scan_end(&scan, err));
//
// Messages give the byte and what stands there: "byte 17 of the header: expected '}' or ',', found 'x'".
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/status.h"

typedef struct Scan {
    const char *what; // of what the bytes are counted, for messages
    Bytes text;
    size_t at;
    bool first; // no member was read yet since the last opening bracket
} Scan;

void scan_init(Scan *scan, const char *what, Bytes text);

// The next character but white space, without taking it; '\0' at the end.
char scan_peek(Scan *scan);

// Takes an opening '{' or '['.
MUST_CHECK Status scan_open(Scan *scan, char bracket, Error *err);

// At the start of a member or element: takes the comma before it. At the end: takes `close` and gives false.
MUST_CHECK Status scan_more(Scan *scan, char close, bool *ret_more, Error *err);

// A string, NUL-terminated, in the arena; with a NULL arena it is checked and dropped. U+0000 is refused.
MUST_CHECK Status scan_text(Scan *scan, Arena *arena, char **ret_text, Error *err);

// A string and the colon after it.
MUST_CHECK Status scan_key(Scan *scan, Arena *arena, char **ret_text, Error *err);

// An integer in 0 .. 2^63-1.
MUST_CHECK Status scan_integer(Scan *scan, int64_t *ret_value, Error *err);

// Any value, checked and dropped. At most 64 levels deep.
MUST_CHECK Status scan_skip(Scan *scan, Error *err);

// Nothing but white space follows.
MUST_CHECK Status scan_end(Scan *scan, Error *err);
