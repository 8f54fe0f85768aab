// SPDX-License-Identifier: Apache-2.0
#include "check.h"
#include "format/scan.h"

static Error err;

static Bytes text_of(const char *text) {
    return (Bytes){(const unsigned char *)text, strlen(text)};
}

static Status skip_all(const char *text) {
    Scan scan;
    scan_init(&scan, "text", text_of(text));
    TRY(scan_skip(&scan, &err));
    return scan_end(&scan, &err);
}

START_TEST(values_of_rfc_8259_are_taken) {
    static const char *const good[] = {"0",
                                       "-0",
                                       "-12.5e+3",
                                       "1E9",
                                       "true",
                                       "false",
                                       " null ",
                                       "\"\"",
                                       "\"a\\u00e9\\ud83d\\ude00\\n\"",
                                       "[]",
                                       "[1, [2,\t3], {}]",
                                       "{\"a\":{\"b\":[true]},\"c\":null}",
                                       "\"\xC3\xA9\""};
    for (size_t i = 0; i < ARRAY_COUNT(good); i++)
        CHECK_OK(skip_all(good[i]));
}
END_TEST

START_TEST(anything_else_is_refused_with_its_byte) {
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"", "byte 0 of the text: expected a JSON value, found the end"},
        {"01", "expected a JSON value"},
        {"1.", "expected a digit"},
        {"1e", "expected a digit"},
        {"+1", "found '+'"},
        {"nul", "expected a JSON value, found 'n'"},
        {"[1,]", "byte 3 of the text: expected a JSON value, found ']'"},
        {"[1 2]", "byte 3 of the text: expected ']' or ',', found '2'"},
        {"{\"a\"}", "byte 4 of the text: expected ':', found '}'"},
        {"{\"a\":1,}", "expected a string, found '}'"},
        {"{a:1}", "expected a string, found 'a'"},
        {"\"a\nb\"", "byte 2 of the text: expected a character of a string or '\"', found 0x0a"},
        {"\"abc", "found the end"},
        {"\"\\x\"", "expected an escape of JSON"},
        {"\"\\u12\"", "expected an escape of JSON"},
        {"\"\\ud800\"", "surrogate"},
        {"\"\\ud800\\u0041\"", "surrogate"},
        {"\"\\udc00\"", "surrogate"},
        {"\"\\u0000\"", "U+0000"},
        {"\"\xC3\"", "expected UTF-8, found 0xc3"},
        {"\"\xC0\x80\"", "expected UTF-8"},
        {"\"\xED\xA0\x80\"", "expected UTF-8"},
        {"1 2", "byte 2 of the text: expected the end, found '2'"},
        {"NaN", "expected a JSON value"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        CHECK_FAILS(skip_all(bad[i].text), ERR_FORMAT, bad[i].message);
}
END_TEST

START_TEST(depth_is_bounded) {
    static char text[200001];
    memset(text, '[', 100000);
    memset(text + 100000, ']', 100000);
    CHECK_FAILS(skip_all(text), ERR_LIMIT, "byte 64 of the text: nested more than 64 deep");
    text[100000 - 64 + 128] = '\0';
    CHECK_OK(skip_all(text + 100000 - 64));
}
END_TEST

START_TEST(texts_and_integers_are_decoded) {
    Arena arena;
    arena_init(&arena, 0);
    Scan scan;
    scan_init(&scan, "text", text_of("{\"k\\u00e9\\ud83d\\ude00\\/\\t\": [0, 9223372036854775807]}"));
    CHECK_OK(scan_open(&scan, '{', &err));
    bool more = false;
    char *key;
    int64_t value;
    CHECK_OK(scan_more(&scan, '}', &more, &err));
    CHECK_OK(scan_key(&scan, &arena, &key, &err));
    ck_assert_str_eq(key, "k\xC3\xA9\xF0\x9F\x98\x80/\t");
    CHECK_OK(scan_open(&scan, '[', &err));
    CHECK_OK(scan_more(&scan, ']', &more, &err));
    CHECK_OK(scan_integer(&scan, &value, &err));
    ck_assert_int_eq(value, 0);
    CHECK_OK(scan_more(&scan, ']', &more, &err));
    CHECK_OK(scan_integer(&scan, &value, &err));
    ck_assert_int_eq(value, INT64_MAX);
    CHECK_OK(scan_more(&scan, ']', &more, &err));
    ck_assert(!more);
    CHECK_OK(scan_more(&scan, '}', &more, &err));
    ck_assert(!more);
    CHECK_OK(scan_end(&scan, &err));
    static const struct {
        const char *text, *message;
    } bad[] = {{"9223372036854775808", "below 2^63"},
               {"1.0", "expected an integer, found '.'"},
               {"1e3", "expected an integer"},
               {"-1", "at least 0"},
               {"007", "leading zeros"},
               {"\"1\"", "at least 0"}};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        scan_init(&scan, "text", text_of(bad[i].text));
        CHECK_FAILS(scan_integer(&scan, &value, &err), ERR_FORMAT, bad[i].message);
    }
    arena_done(&arena);
}
END_TEST

TEST_MAIN("format/scan", values_of_rfc_8259_are_taken, anything_else_is_refused_with_its_byte, depth_is_bounded,
          texts_and_integers_are_decoded)
