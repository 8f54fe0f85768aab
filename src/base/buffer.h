// SPDX-License-Identifier: Apache-2.0
// Buffer: bytes that grow, for building text, JSON lines and files in memory.
//
// A buffer remembers its first failure: the buffer_add calls after it do nothing, and buffer_status tells at the end.
// So building text reads straight through:
//
//     Buffer b = {0};
//     buffer_format(&b, "%%%s = %s", name, op);
//     buffer_add(&b, "\n", 1);
//     TRY(buffer_status(&b, err));          // then b.data (NUL-terminated), b.bytes
//     buffer_done(&b);
#pragma once

#include <stddef.h>

#include "base/status.h"

typedef struct Buffer {
    char *data; // NUL-terminated once anything was added
    size_t bytes;
    size_t capacity;
    size_t limit_bytes; // 0: none
    Status failed;      // OK, or why the buffer stopped growing
} Buffer;

void buffer_done(Buffer *buffer);
void buffer_clear(Buffer *buffer); // empties, keeps the memory, forgets a failure
void buffer_add(Buffer *buffer, const void *data, size_t bytes);
void buffer_add_text(Buffer *buffer, const char *text);
void buffer_add_char(Buffer *buffer, char c);
void buffer_format(Buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Appends `text` as a JSON string with its quotes. Bytes that are no valid UTF-8 become U+FFFD.
void buffer_add_json(Buffer *buffer, const char *text, size_t bytes);

// Appends one code point as UTF-8; values that are no scalar value become U+FFFD.
void buffer_add_code_point(Buffer *buffer, unsigned code_point);

// Makes room for `bytes` more and returns where they start (NULL once failed); the caller fills them all.
void *buffer_extend(Buffer *buffer, size_t bytes);

// OK, or the first failure as an error.
MUST_CHECK Status buffer_status(const Buffer *buffer, Error *err);
