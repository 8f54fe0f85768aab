// SPDX-License-Identifier: Apache-2.0
// Every scalar value there and back, and every sequence of up to three bytes against a decoder written as RFC 3629's
// table.
#include "base/utf8.h"

#include "check.h"

START_TEST(every_code_point_returns) {
    for (uint32_t c = 0; c < 0x110010; c++) {
        char text[4];
        size_t bytes = utf8_encode(c, text);
        uint32_t expected = c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF) ? UTF8_REPLACEMENT : c, found;
        if (utf8_decode(text, bytes, &found) != bytes || found != expected ||
            bytes != (expected < 0x80      ? 1u
                      : expected < 0x800   ? 2u
                      : expected < 0x10000 ? 3u
                                           : 4u))
            ck_abort_msg("U+%04X became U+%04X in %zu bytes", c, found, bytes);
        if (utf8_valid_prefix(text, bytes) != bytes || (bytes > 1 && utf8_valid_prefix(text, bytes - 1) != 0))
            ck_abort_msg("U+%04X is not valid, or its beginning is", c);
    }
}
END_TEST

// RFC 3629, section 4: the ranges of the bytes of each well-formed sequence.
static const struct {
    size_t bytes;
    unsigned char low[4], high[4];
} forms[] = {
    {1, {0x00}, {0x7F}},
    {2, {0xC2, 0x80}, {0xDF, 0xBF}},
    {3, {0xE0, 0xA0, 0x80}, {0xE0, 0xBF, 0xBF}},
    {3, {0xE1, 0x80, 0x80}, {0xEC, 0xBF, 0xBF}},
    {3, {0xED, 0x80, 0x80}, {0xED, 0x9F, 0xBF}},
    {3, {0xEE, 0x80, 0x80}, {0xEF, 0xBF, 0xBF}},
    {4, {0xF0, 0x90, 0x80, 0x80}, {0xF0, 0xBF, 0xBF, 0xBF}},
    {4, {0xF1, 0x80, 0x80, 0x80}, {0xF3, 0xBF, 0xBF, 0xBF}},
    {4, {0xF4, 0x80, 0x80, 0x80}, {0xF4, 0x8F, 0xBF, 0xBF}},
};

static size_t form_bytes(const unsigned char *text, size_t bytes) {
    for (size_t f = 0; f < ARRAY_COUNT(forms); f++) {
        size_t i = 0;
        while (i < forms[f].bytes && i < bytes && text[i] >= forms[f].low[i] && text[i] <= forms[f].high[i])
            i++;
        if (i == forms[f].bytes)
            return i;
    }
    return 0;
}

START_TEST(sequences_by_the_table) {
    static const unsigned char fourth[] = {0x7F, 0x80, 0xBF, 0xC0};
    for (uint32_t i = 0; i < 1u << 24; i++) {
        // the second and third byte only around the borders of the table
        unsigned char text[4] = {(unsigned char)(i >> 16), (unsigned char)(i >> 8), (unsigned char)i, fourth[i % 4]};
        if ((text[1] & 0x0E) != 0 && (text[1] & 0x0E) != 0x0E)
            continue;
        for (size_t bytes = 1; bytes <= 4; bytes++) {
            uint32_t found = 0;
            size_t used = utf8_decode((const char *)text, bytes, &found), expected = form_bytes(text, bytes);
            if (expected ? used != expected || (found == UTF8_REPLACEMENT && expected != 3)
                         : used != 1 || found != UTF8_REPLACEMENT)
                ck_abort_msg("%02x %02x %02x %02x (%zu): %zu bytes, expected %zu", text[0], text[1], text[2], text[3],
                             bytes, used, expected);
        }
    }
}
END_TEST

START_TEST(valid_prefixes) {
    ck_assert_uint_eq(utf8_valid_prefix("", 0), 0);
    ck_assert_uint_eq(utf8_valid_prefix("a\xEF\xBF\xBDz", 5), 5); // a real U+FFFD
    ck_assert_uint_eq(utf8_valid_prefix("ab\xFFz", 4), 2);
    ck_assert_uint_eq(utf8_valid_prefix("a\0b", 3), 3);
}
END_TEST

TEST_MAIN("utf8", every_code_point_returns, sequences_by_the_table, valid_prefixes)
