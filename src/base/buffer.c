// SPDX-License-Identifier: Apache-2.0
// Growable bytes with a sticky failure.
#include "base/buffer.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

void buffer_done(Buffer *buffer) {
    memory_free(buffer->data);
    *buffer = (Buffer){0};
}

void buffer_clear(Buffer *buffer) {
    buffer->bytes = 0;
    buffer->failed = OK;
    if (buffer->data)
        buffer->data[0] = '\0';
}

// Room for `bytes` more and a NUL.
static bool buffer_reserve(Buffer *buffer, size_t bytes) {
    if (buffer->failed != OK)
        return false;
    size_t need;
    if (!size_add(buffer->bytes, bytes, &need) || !size_add(need, 1, &need) ||
        (buffer->limit_bytes && need > buffer->limit_bytes)) {
        buffer->failed = ERR_LIMIT;
        return false;
    }
    if (need <= buffer->capacity)
        return true;
    size_t capacity = buffer->capacity < 64 ? 64 : buffer->capacity;
    while (capacity < need)
        capacity = capacity > SIZE_MAX / 2 ? need : capacity * 2;
    Error err;
    char *data = memory_resize(buffer->data, capacity, 1, &err);
    if (!data) {
        buffer->failed = err.status;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

void *buffer_extend(Buffer *buffer, size_t bytes) {
    if (!buffer_reserve(buffer, bytes))
        return NULL;
    char *start = buffer->data + buffer->bytes;
    buffer->bytes += bytes;
    buffer->data[buffer->bytes] = '\0';
    return start;
}

void buffer_add(Buffer *buffer, const void *data, size_t bytes) {
    void *to = buffer_extend(buffer, bytes);
    if (to && bytes)
        memcpy(to, data, bytes);
}

void buffer_add_text(Buffer *buffer, const char *text) {
    buffer_add(buffer, text, strlen(text));
}

void buffer_add_char(Buffer *buffer, char c) {
    buffer_add(buffer, &c, 1);
}

void buffer_format(Buffer *buffer, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0) // more than INT_MAX bytes
        buffer->failed = buffer->failed == OK ? ERR_LIMIT : buffer->failed;
    char *to = length < 0 ? NULL : buffer_extend(buffer, (size_t)length);
    if (to)
        vsnprintf(to, (size_t)length + 1, format, again);
    va_end(again);
}

void buffer_add_code_point(Buffer *buffer, unsigned code_point) {
    char text[4];
    buffer_add(buffer, text, utf8_encode(code_point, text));
}

void buffer_add_json(Buffer *buffer, const char *text, size_t bytes) {
    static const char escapes[] = "btnvfr"; // of 8..13; \v has no short form in JSON
    buffer_add_char(buffer, '"');
    for (size_t i = 0; i < bytes;) {
        uint32_t c;
        size_t used = utf8_decode(text + i, bytes - i, &c);
        if (c == '"' || c == '\\')
            buffer_format(buffer, "\\%c", (char)c);
        else if (c >= 8 && c <= 13 && c != 11)
            buffer_format(buffer, "\\%c", escapes[c - 8]);
        else if (c < 0x20 || c == 0x7F)
            buffer_format(buffer, "\\u%04x", c);
        else
            buffer_add_code_point(buffer, c);
        i += used;
    }
    buffer_add_char(buffer, '"');
}

Status buffer_status(const Buffer *buffer, Error *err) {
    if (buffer->failed == ERR_LIMIT)
        return FAIL(err, ERR_LIMIT, "the text would pass the limit of %zu bytes", buffer->limit_bytes);
    if (buffer->failed != OK)
        return FAIL(err, buffer->failed, "no memory to grow a text of %zu bytes", buffer->bytes);
    return OK;
}
