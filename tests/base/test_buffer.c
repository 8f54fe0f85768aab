// SPDX-License-Identifier: Apache-2.0
#include "base/buffer.h"

#include "base/fault.h"
#include "base/json.h"
#include "check.h"

START_TEST(text_grows) {
    Error err;
    Buffer b = {0};
    for (int i = 0; i < 1000; i++)
        buffer_format(&b, "%d,", i);
    buffer_add_text(&b, "end");
    buffer_add_char(&b, '!');
    CHECK_OK(buffer_status(&b, &err));
    ck_assert_uint_eq(b.bytes, 10 * 2 + 90 * 3 + 900 * 4 + 4);
    ck_assert_str_eq(b.data + b.bytes - 8, "999,end!");
    buffer_clear(&b);
    ck_assert_str_eq(b.data, "");
    memcpy(buffer_extend(&b, 3), "xyz", 3);
    ck_assert_str_eq(b.data, "xyz");
    buffer_done(&b);
    ck_assert_ptr_null(b.data);
}
END_TEST

START_TEST(failures_stick) {
    Error err;
    Buffer b = {.limit_bytes = 100};
    for (int i = 0; i < 50; i++)
        buffer_add_text(&b, "abc");
    CHECK_FAILS(buffer_status(&b, &err), ERR_LIMIT, "would pass the limit of 100 bytes");
    ck_assert_uint_eq(b.bytes, 99);
    buffer_add_text(&b, ""); // room would be there, but the failure stands
    ck_assert_ptr_null(buffer_extend(&b, 0));
    buffer_clear(&b);
    CHECK_OK(buffer_status(&b, &err));
    buffer_done(&b);
    for (uint64_t n = 1; n <= 8; n++) { // doubling from 64 to 8192 takes 8 allocations
        fault_arm(FAULT_ALLOCATION, n);
        for (int i = 0; i < 5000; i++)
            buffer_add_char(&b, 'x');
        CHECK_FAILS(buffer_status(&b, &err), ERR_MEMORY, "no memory to grow a text of");
        ck_assert(!b.data || b.data[b.bytes] == '\0');
        buffer_done(&b);
    }
}
END_TEST

START_TEST(json_strings_read_back) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    Buffer b = {0};
    char text[256];
    for (size_t i = 0; i < 128; i++)
        text[i] = (char)i;
    memcpy(text + 128, "\xEA\xB0\x80\xF0\x9F\x98\x80", 7);
    buffer_add_json(&b, text, 135);
    json_t *value;
    CHECK_OK(json_parse(&arena, "x", (Bytes){(unsigned char *)b.data, b.bytes}, true, &value, &err));
    ck_assert_uint_eq(json_string_length(value), 135);
    ck_assert_mem_eq(json_string_value(value), text, 135);
    buffer_clear(&b);
    buffer_add_json(&b, "a\xFF\xED\xA0\x80\xE2\x82z", 8);
    ck_assert_str_eq(b.data, "\"a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz\"");
    buffer_clear(&b);
    buffer_add_json(&b, "\b\t\n\v\f\r\"\\", 8);
    ck_assert_str_eq(b.data, "\"\\b\\t\\n\\u000b\\f\\r\\\"\\\\\"");
    buffer_done(&b);
    arena_done(&arena);
}
END_TEST

TEST_MAIN("buffer", text_grows, failures_stick, json_strings_read_back)
