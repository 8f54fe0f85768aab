// SPDX-License-Identifier: Apache-2.0
// Strict UTF-8 decoding and encoding.
#include "base/utf8.h"

size_t utf8_decode(const char *text, size_t bytes, uint32_t *ret_code_point) {
    const unsigned char *p = (const unsigned char *)text;
    uint32_t c = p[0];
    if (c < 0x80) {
        *ret_code_point = c;
        return 1;
    }
    size_t length = c >= 0xC2 && c <= 0xDF ? 2 : (c & 0xF0) == 0xE0 ? 3 : c >= 0xF0 && c <= 0xF4 ? 4 : 0;
    *ret_code_point = UTF8_REPLACEMENT;
    if (!length || bytes < length)
        return 1;
    c &= 0x7Fu >> length;
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 1;
        c = c << 6 | (p[i] & 0x3F);
    }
    if ((length == 3 && (c < 0x800 || (c >= 0xD800 && c <= 0xDFFF))) || (length == 4 && (c < 0x10000 || c > 0x10FFFF)))
        return 1;
    *ret_code_point = c;
    return length;
}

size_t utf8_encode(uint32_t c, char *ret_text) {
    unsigned char *out = (unsigned char *)ret_text;
    if (c < 0x80) {
        out[0] = (unsigned char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (unsigned char)(0xC0 | c >> 6);
        out[1] = (unsigned char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        c = UTF8_REPLACEMENT;
    if (c < 0x10000) {
        out[0] = (unsigned char)(0xE0 | c >> 12);
        out[1] = (unsigned char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (unsigned char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (unsigned char)(0xF0 | c >> 18);
    out[1] = (unsigned char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (unsigned char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (unsigned char)(0x80 | (c & 0x3F));
    return 4;
}

size_t utf8_valid_prefix(const char *text, size_t bytes) {
    size_t i = 0;
    while (i < bytes) {
        if ((unsigned char)text[i] < 0x80) {
            i++;
            continue;
        }
        uint32_t c;
        size_t used = utf8_decode(text + i, bytes - i, &c);
        if (used == 1)
            return i;
        i += used;
    }
    return bytes;
}
