// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include "base/fault.h"
#include "base/scratch.h"

static Arena arena;

static Status parse(const char *text, size_t bytes, bool allow_nul, json_t **ret_value, Error *err) {
    arena_done(&arena);
    return json_parse(&arena, "file 'x'", (Bytes){(const unsigned char *)text, bytes}, allow_nul, ret_value, err);
}

START_TEST(only_rfc_8259) {
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"", "not valid JSON at line 1, column 0"},
        {"{\"a\":1,\n\"a\":2}", "at line 2, column 3"},
        {"{\"a\":1,\"a\":2}", "duplicate object key near '\"a\"'"},
        {"[1,]", "unexpected token near ']'"},
        {"[01]", "invalid token near '0'"},
        {"[+1]", "invalid token near '+'"},
        {"[.5]", "invalid token"},
        {"[1.]", "invalid token"},
        {"[NaN]", "invalid token near 'NaN'"},
        {"[1e400]", "real number overflow"},
        {"['a']", "invalid token"},
        {"[\"\t\"]", "control character 0x9"},
        {"\"\xC0\x80\"", "unable to decode byte 0xc0"},
        {"\"\xED\xA0\x80\"", "unable to decode byte 0xed"},
        {"\"\\uD800\"", "invalid Unicode '\\uD800'"},
        {"\"\\x\"", "invalid escape"},
        {"1 2", "end of file expected"},
        {"// x\n1", "invalid token"},
        {"[memory]", "invalid token near 'memory'"},
    };
    Error err;
    json_t *value = NULL;
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        CHECK_FAILS(parse(bad[i].text, strlen(bad[i].text), false, &value, &err), ERR_FORMAT, bad[i].message);
        ck_assert_ptr_nonnull(strstr(err.message, "file 'x': not valid JSON at line "));
        ck_assert_ptr_null(value);
    }
    CHECK_OK(parse(" [1e3, \"\\ud83d\\ude00\", null] ", 29, false, &value, &err));
    ck_assert_str_eq(json_string_value(json_array_get(value, 1)), "\xF0\x9F\x98\x80");
    arena_done(&arena);
}
END_TEST

START_TEST(depth_is_limited) {
    Error err;
    json_t *value;
    char *deep = malloc(200001);
    memset(deep, '[', 100000);
    memset(deep + 100000, ']', 100000);
    CHECK_FAILS(parse(deep, 200000, false, &value, &err), ERR_FORMAT, "maximum parsing depth reached");
    CHECK_OK(parse(deep + 99000, 2000, false, &value, &err));
    free(deep);
    arena_done(&arena);
}
END_TEST

START_TEST(nul_only_where_allowed) {
    Error err;
    json_t *value;
    CHECK_FAILS(parse("\"a\\u0000b\"", 10, false, &value, &err), ERR_FORMAT, "\\u0000 is not allowed");
    CHECK_OK(parse("\"a\\u0000b\"", 10, true, &value, &err));
    ck_assert_uint_eq(json_string_length(value), 3);
    arena_done(&arena);
}
END_TEST

START_TEST(members) {
    static const char text[] =
        "{\"t\":true,\"i\":3,\"w\":3.0,\"r\":2.5,\"s\":\"x\",\"n\":null,\"big\":9007199254740993,"
        "\"o\":{\"a\":1},\"l\":"
        "[\"a rather long list\",\"of words that goes on and on\",\"beyond sixty\"]}";
    Error err;
    json_t *o;
    CHECK_OK(parse(text, sizeof text - 1, false, &o, &err));
    bool flag = false;
    int64_t number = 42;
    double real = 1.5;
    const char *string = "default";
    CHECK_OK(json_get_bool(o, "f", "t", &flag, &err));
    ck_assert(flag);
    CHECK_OK(json_get_int(o, "f", "absent", 0, 9, &number, &err));
    CHECK_OK(json_get_int(o, "f", "n", 0, 9, &number, &err));
    ck_assert_int_eq(number, 42);
    CHECK_OK(json_get_int(o, "f", "w", 0, 9, &number, &err));
    ck_assert_int_eq(number, 3);
    CHECK_OK(json_get_int(o, "f", "big", 0, INT64_MAX, &number, &err));
    ck_assert_int_eq(number, 9007199254740993);
    CHECK_OK(json_get_real(o, "f", "i", 0, 3, &real, &err));
    ck_assert(real == 3);
    CHECK_OK(json_get_text(o, "f", "s", &string, &err));
    ck_assert_str_eq(string, "x");
    const json_t *object = o, *array = NULL;
    CHECK_OK(json_get_object(o, "f", "n", &object, &err));
    ck_assert_ptr_eq(object, o);
    CHECK_OK(json_get_object(o, "f", "o", &object, &err));
    ck_assert_uint_eq(json_object_size(object), 1);
    CHECK_OK(json_get_array(o, "f", "l", &array, &err));
    CHECK_OK(json_get_array(o, "f", "absent", &array, &err));
    ck_assert_uint_eq(json_array_size(array), 3);
    CHECK_FAILS(json_get_object(o, "f", "i", &object, &err), ERR_FORMAT, "f: 'i' is 3, expected an object");
    CHECK_FAILS(json_get_array(o, "f", "o", &array, &err), ERR_FORMAT, "f: 'o' is {\"a\":1}, expected an array");
    CHECK_FAILS(json_get_int(o, "file 'f'", "i", 4, 9, &number, &err), ERR_FORMAT,
                "file 'f': 'i' is 3, expected an integer from 4 to 9");
    CHECK_FAILS(json_get_int(o, "f", "r", 0, 9, &number, &err), ERR_FORMAT,
                "'r' is 2.5, expected an integer from 0 to 9");
    CHECK_FAILS(json_get_int(o, "f", "s", 0, 9, &number, &err), ERR_FORMAT, "'s' is \"x\", expected an integer");
    CHECK_FAILS(json_get_real(o, "f", "r", 0, 1, &real, &err), ERR_FORMAT, "'r' is 2.5, expected a number from 0 to 1");
    CHECK_FAILS(json_get_bool(o, "f", "i", &flag, &err), ERR_FORMAT, "'i' is 3, expected true or false");
    CHECK_FAILS(json_get_text(o, "f", "l", &string, &err), ERR_FORMAT,
                "f: 'l' is [\"a rather long list\",\"of words that goes on and on\",\"beyond..., expected a string");
    ck_assert(number == 9007199254740993 && real == 3 && flag && strcmp(string, "x") == 0);
    arena_done(&arena);
}
END_TEST

START_TEST(integers_beyond_64_bits_are_reals) {
    static const char text[] = "{\"model_max_length\":1000000000000000019884624838656,\"i\":7}";
    Error err;
    json_t *o;
    CHECK_OK(parse(text, sizeof text - 1, false, &o, &err));
    double real = 0;
    int64_t number = 0;
    CHECK_OK(json_get_real(o, "f", "model_max_length", 0, 1e31, &real, &err));
    ck_assert(real == 1e30);
    CHECK_OK(json_get_int(o, "f", "i", 0, 9, &number, &err));
    ck_assert_int_eq(number, 7);
    CHECK_FAILS(json_get_int(o, "f", "model_max_length", 0, 9, &number, &err), ERR_FORMAT, "expected an integer");
    arena_done(&arena);
}
END_TEST

START_TEST(every_failing_allocation_is_lack_of_memory) {
    static const char text[] = "{\"a\":[1,2.5,\"text\",{\"b\":null}],\"c\":\"\\u00e9\"}";
    Error err;
    json_t *value;
    uint64_t n = 1;
    for (;; n++) {
        arena_done(&arena);
        fault_arm(FAULT_ALLOCATION, n);
        Status status =
            json_parse(&arena, "x", (Bytes){(const unsigned char *)text, sizeof text - 1}, false, &value, &err);
        bool struck = fault_seen(FAULT_ALLOCATION) >= n;
        fault_arm(FAULT_ALLOCATION, 0);
        ck_assert_msg(status == (struck ? ERR_MEMORY : OK), "allocation %d: %s", (int)n, err.message);
        if (!struck)
            break;
    }
    ck_assert_uint_gt(n, 10);
    arena_done(&arena);
}
END_TEST

START_TEST(files) {
    Error err;
    Scratch scratch = scratch_make();
    char *path = scratch_path(&scratch, "config.json");
    json_t *value = json_true();
    CHECK_OK(json_read(&scratch.arena, path, true, &value, &err));
    ck_assert_ptr_null(value);
    CHECK_FAILS(json_read(&scratch.arena, path, false, &value, &err), ERR_IO,
                "config.json' cannot be opened: No such file");
    CHECK_OK(file_replace(path, "{", 1, &err));
    CHECK_FAILS(json_read(&scratch.arena, path, true, &value, &err), ERR_FORMAT,
                "config.json': not valid JSON at line 1");
    CHECK_OK(file_replace(path, "", 0, &err));
    CHECK_FAILS(json_read(&scratch.arena, path, true, &value, &err), ERR_FORMAT,
                "config.json': not valid JSON at line 1");
    CHECK_OK(file_replace(path, "[1]", 3, &err));
    CHECK_OK(json_read(&scratch.arena, path, false, &value, &err));
    ck_assert_uint_eq(json_array_size(value), 1);
    scratch_done(&scratch);
}
END_TEST

// jansson writes past a block when the buffer of a long token cannot grow; here it can.
START_TEST(long_tokens_without_memory) {
    Buffer text = {0};
    buffer_add_text(&text, "{\"key\":\"");
    for (int i = 0; i < 3000; i++)
        buffer_add_text(&text, i % 3 ? "a" : "\\\"");
    buffer_add_text(&text, "\",\"other\":[1,2,{\"third\":123456789012345678}]}");
    for (uint64_t nth = 1;; nth++) {
        Error err;
        arena_init(&arena, 0);
        json_t *value;
        fault_arm(FAULT_ALLOCATION, nth);
        Status status = json_parse(&arena, "x", (Bytes){(unsigned char *)text.data, text.bytes}, false, &value, &err);
        bool struck = fault_seen(FAULT_ALLOCATION) >= nth;
        fault_arm(FAULT_ALLOCATION, 0);
        arena_done(&arena);
        ck_assert_int_eq(status, struck ? ERR_MEMORY : OK);
        if (!struck)
            break;
    }
    buffer_done(&text);
}
END_TEST

TEST_MAIN("json", only_rfc_8259, depth_is_limited, nul_only_where_allowed, members, integers_beyond_64_bits_are_reals,
          every_failing_allocation_is_lack_of_memory, files, long_tokens_without_memory)
