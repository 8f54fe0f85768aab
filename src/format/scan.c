// SPDX-License-Identifier: Apache-2.0
// A pull parser over one text: every function takes one token or fails at its byte.
#include "format/scan.h"

#include <string.h>

#include "base/utf8.h"

enum { SCAN_MOST_DEPTH = 64 };

void scan_init(Scan *scan, const char *what, Bytes text) {
    *scan = (Scan){.what = what, .text = text};
}

static Status unexpected(const Scan *scan, const char *expected, Error *err) {
    if (scan->at >= scan->text.size)
        return FAIL(err, ERR_FORMAT, "byte %zu of the %s: expected %s, found the end", scan->at, scan->what, expected);
    unsigned char c = scan->text.data[scan->at];
    if (c < 0x20 || c >= 0x7F)
        return FAIL(err, ERR_FORMAT, "byte %zu of the %s: expected %s, found 0x%02x", scan->at, scan->what, expected,
                    c);
    return FAIL(err, ERR_FORMAT, "byte %zu of the %s: expected %s, found '%c'", scan->at, scan->what, expected, c);
}

// The character at the cursor, '\0' at the end (a NUL in the text is no token, so both read as the same failure).
static char here(const Scan *scan) {
    return scan->at < scan->text.size ? (char)scan->text.data[scan->at] : '\0';
}

char scan_peek(Scan *scan) {
    char c = here(scan);
    while (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        scan->at++;
        c = here(scan);
    }
    return c;
}

Status scan_open(Scan *scan, char bracket, Error *err) {
    if (scan_peek(scan) != bracket)
        return unexpected(scan, bracket == '{' ? "'{'" : "'['", err);
    scan->at++;
    scan->first = true;
    return OK;
}

Status scan_more(Scan *scan, char close, bool *ret_more, Error *err) {
    char c = scan_peek(scan);
    bool first = scan->first;
    scan->first = false;
    if (c == close) {
        scan->at++;
        *ret_more = false;
        return OK;
    }
    if (!first) {
        if (c != ',')
            return unexpected(scan, close == '}' ? "'}' or ','" : "']' or ','", err);
        scan->at++;
    }
    *ret_more = true;
    return OK;
}

static bool hex4(const Scan *scan, size_t at, uint32_t *ret) {
    uint32_t value = 0;
    for (size_t i = at; i < at + 4; i++) {
        char c = i < scan->text.size ? (char)scan->text.data[i] : '\0';
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return false;
        value = value << 4 | (uint32_t)digit;
    }
    *ret = value;
    return true;
}

// The escape after a backslash at the cursor; moves behind it.
static Status escape_read(Scan *scan, uint32_t *ret_code_point, Error *err) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    scan->at++;
    char c = here(scan);
    const char *found = c ? strchr(from, c) : NULL;
    if (found) {
        *ret_code_point = (unsigned char)to[found - from];
        scan->at++;
        return OK;
    }
    uint32_t code_point, low;
    if (c != 'u' || !hex4(scan, scan->at + 1, &code_point))
        return unexpected(scan, "an escape of JSON", err);
    scan->at += 5;
    if (code_point >= 0xD800 && code_point < 0xDC00) {
        bool pair = scan->at + 1 < scan->text.size && memcmp(scan->text.data + scan->at, "\\u", 2) == 0;
        if (!pair || !hex4(scan, scan->at + 2, &low) || low < 0xDC00 || low > 0xDFFF)
            return unexpected(scan, "the second half of a surrogate pair", err);
        scan->at += 6;
        code_point = 0x10000 + ((code_point - 0xD800) << 10) + (low - 0xDC00);
    }
    if (code_point == 0 || (code_point >= 0xDC00 && code_point < 0xE000))
        return unexpected(scan, "no escape of U+0000 or of half a surrogate pair before this", err);
    *ret_code_point = code_point;
    return OK;
}

// Decodes the string whose opening quote was taken, up to and with its closing quote. `out` may be NULL: count only.
static Status text_decode(Scan *scan, char *out, size_t *ret_bytes, Error *err) {
    size_t bytes = 0;
    for (;;) {
        unsigned char c = (unsigned char)here(scan);
        if (c == '"')
            break;
        if (c < 0x20)
            return unexpected(scan, "a character of a string or '\"'", err);
        uint32_t code_point;
        if (c == '\\') {
            TRY(escape_read(scan, &code_point, err));
        } else {
            const char *at = (const char *)scan->text.data + scan->at;
            size_t used = utf8_decode(at, scan->text.size - scan->at, &code_point);
            if (c >= 0x80 && used == 1)
                return unexpected(scan, "UTF-8", err);
            scan->at += used;
        }
        char encoded[4];
        size_t length = utf8_encode(code_point, encoded);
        if (out)
            memcpy(out + bytes, encoded, length);
        bytes += length;
    }
    scan->at++;
    *ret_bytes = bytes;
    return OK;
}

Status scan_text(Scan *scan, Arena *arena, char **ret_text, Error *err) {
    if (scan_peek(scan) != '"')
        return unexpected(scan, "a string", err);
    size_t start = ++scan->at, bytes = 0;
    TRY(text_decode(scan, NULL, &bytes, err));
    if (!arena)
        return OK;
    char *text = arena_alloc(arena, bytes + 1, 1, err);
    TRY_NEW(text);
    scan->at = start;
    TRY(text_decode(scan, text, &bytes, err));
    text[bytes] = '\0';
    *ret_text = text;
    return OK;
}

Status scan_key(Scan *scan, Arena *arena, char **ret_text, Error *err) {
    char *text = NULL;
    TRY(scan_text(scan, arena, &text, err));
    if (scan_peek(scan) != ':')
        return unexpected(scan, "':'", err);
    scan->at++;
    if (arena)
        *ret_text = text;
    return OK;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

Status scan_integer(Scan *scan, int64_t *ret_value, Error *err) {
    char c = scan_peek(scan);
    if (!is_digit(c))
        return unexpected(scan, "an integer of at least 0", err);
    int64_t value = 0;
    for (size_t start = scan->at; is_digit(c = here(scan)); scan->at++) {
        if (scan->at > start && value == 0)
            return unexpected(scan, "an integer without leading zeros", err);
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, c - '0', &value))
            return unexpected(scan, "an integer below 2^63", err);
    }
    if (c == '.' || c == 'e' || c == 'E')
        return unexpected(scan, "an integer", err);
    *ret_value = value;
    return OK;
}

static size_t digits_skip(Scan *scan) {
    size_t start = scan->at;
    while (is_digit(here(scan)))
        scan->at++;
    return scan->at - start;
}

static Status number_skip(Scan *scan, Error *err) {
    if (here(scan) == '-')
        scan->at++;
    bool zero = here(scan) == '0';
    size_t digits = digits_skip(scan);
    if (digits == 0 || (zero && digits > 1))
        return unexpected(scan, "a JSON value", err);
    if (here(scan) == '.') {
        scan->at++;
        if (!digits_skip(scan))
            return unexpected(scan, "a digit", err);
    }
    if (here(scan) == 'e' || here(scan) == 'E') {
        scan->at++;
        if (here(scan) == '+' || here(scan) == '-')
            scan->at++;
        if (!digits_skip(scan))
            return unexpected(scan, "a digit", err);
    }
    return OK;
}

static Status value_skip(Scan *scan, int depth, Error *err) {
    char c = scan_peek(scan);
    if (c == '"')
        return scan_text(scan, NULL, NULL, err);
    if (c == '{' || c == '[') {
        if (depth == SCAN_MOST_DEPTH)
            return FAIL(err, ERR_LIMIT, "byte %zu of the %s: nested more than %d deep", scan->at, scan->what, depth);
        char close = c == '{' ? '}' : ']';
        TRY(scan_open(scan, c, err));
        for (bool more;;) {
            TRY(scan_more(scan, close, &more, err));
            if (!more)
                return OK;
            if (c == '{')
                TRY(scan_key(scan, NULL, NULL, err));
            TRY(value_skip(scan, depth + 1, err));
        }
    }
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = strlen(words[i]);
        if (scan->text.size - scan->at >= length && memcmp(scan->text.data + scan->at, words[i], length) == 0) {
            scan->at += length;
            return OK;
        }
    }
    return number_skip(scan, err);
}

Status scan_skip(Scan *scan, Error *err) {
    return value_skip(scan, 0, err);
}

Status scan_end(Scan *scan, Error *err) {
    scan_peek(scan);
    return scan->at == scan->text.size ? OK : unexpected(scan, "the end", err);
}
