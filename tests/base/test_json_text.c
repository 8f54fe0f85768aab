// SPDX-License-Identifier: Apache-2.0
#include "base/json_text.h"

#include "base/buffer.h"
#include "base/json.h"
#include "check.h"

static Bytes bytes_of(const char *text) {
    return (Bytes){(const unsigned char *)text, strlen(text)};
}

static bool is(Bytes text, size_t start, size_t end, const char *expected) {
    return end - start == strlen(expected) && !memcmp(text.data + start, expected, end - start);
}

START_TEST(items_lie_where_they_are) {
    Bytes text = bytes_of(" {\"a\" : [1, {\"b\":2}] ,\n \"\\\"}\":\"x,]\", \"c\":-1.5e3,\"d\":null } ");
    static const char *const items[][3] = {{"\"a\" : [1, {\"b\":2}]", "\"a\"", "[1, {\"b\":2}]"},
                                           {"\n \"\\\"}\":\"x,]\"", "\"\\\"}\"", "\"x,]\""},
                                           {" \"c\":-1.5e3", "\"c\"", "-1.5e3"},
                                           {"\"d\":null", "\"d\"", "null"}};
    JsonWalk walk = json_walk_begin(text, json_text_start(text));
    size_t count = 0;
    for (JsonItem item; json_walk_next(&walk, &item); count++) {
        ck_assert_uint_lt(count, ARRAY_COUNT(items));
        ck_assert(is(text, item.from, item.end, items[count][0]));
        ck_assert(is(text, item.key, item.key_end, items[count][1]));
        ck_assert(is(text, item.start, item.end, items[count][2]));
    }
    ck_assert_uint_eq(count, ARRAY_COUNT(items));
    ck_assert(is(text, walk.at, text.size, " "));
    JsonItem found;
    ck_assert(json_text_find(text, json_text_start(text), "c", &found));
    ck_assert(is(text, found.start, found.end, "-1.5e3"));
    ck_assert(!json_text_find(text, json_text_start(text), "b", &found));
    ck_assert(!json_text_find(text, found.start, "c", &found)); // no object
}
END_TEST

START_TEST(elements_have_no_key) {
    Bytes text = bytes_of("[ \"a\" , [\"b\"],7]");
    JsonWalk walk = json_walk_begin(text, 0);
    static const char *const values[] = {"\"a\"", "[\"b\"]", "7"};
    size_t count = 0;
    for (JsonItem item; json_walk_next(&walk, &item); count++) {
        ck_assert_uint_eq(item.key, item.key_end);
        ck_assert(is(text, item.start, item.end, values[count]));
    }
    ck_assert_uint_eq(count, 3);
    ck_assert_uint_eq(walk.at, text.size);
    static const char *const empty[] = {"[]", "{ }", "[\n]"};
    for (size_t i = 0; i < ARRAY_COUNT(empty); i++) {
        JsonItem item;
        walk = json_walk_begin(bytes_of(empty[i]), 0);
        ck_assert(!json_walk_next(&walk, &item));
        ck_assert_uint_eq(walk.at, strlen(empty[i]));
    }
}
END_TEST

static bool is_id(const char *key, size_t bytes) {
    return bytes == 2 && !memcmp(key, "id", 2);
}

typedef struct Found {
    Bytes text;
    Buffer out;
} Found;

static void number_found(void *context, size_t start, size_t end) {
    Found *found = context;
    ck_assert(start <= end && end <= found->text.size);
    buffer_add(&found->out, found->text.data + start, end - start);
    buffer_add_char(&found->out, ' ');
}

START_TEST(numbers_under_keys) {
    Found found = {bytes_of("{\"id\": 1, \"ids\": 2, \"x\": {\"id\": [3, [4, \"5\", null], {\"y\": 6, \"id\": -7}]},"
                            " \"z\": [8, {\"id\":9}], \"id \": 10, \"w\": [\"id\", 11]}"),
                   {0}};
    json_text_numbers(found.text, 0, &(JsonNumbers){is_id, number_found, &found});
    ck_assert_str_eq(found.out.data, "1 3 4 -7 9 ");
    buffer_done(&found.out);
}
END_TEST

// Text that is no JSON is never given, but must not be read past its end.
START_TEST(cut_texts_end) {
    static const char text[] = "{\"id\": [1, {\"a\\\"\": [true, {}]}, \"\\\\\"], \"b\": {\"id\": 12}}";
    for (size_t size = 0; size < sizeof text; size++) {
        char *copy = malloc(size + 1); // of exactly that size: a sanitizer sees what lies behind
        memcpy(copy, text, size);
        Found found = {{(const unsigned char *)copy, size}, {0}};
        if (size) {
            json_text_numbers(found.text, 0, &(JsonNumbers){is_id, number_found, &found});
            JsonWalk walk = json_walk_begin(found.text, 0);
            size_t count = 0;
            for (JsonItem item; count < 100 && json_walk_next(&walk, &item); count++)
                ck_assert(item.from <= item.start && item.start <= item.end && item.end <= size);
            ck_assert_uint_lt(count, 100);
        }
        buffer_done(&found.out);
        free(copy);
    }
}
END_TEST

TEST_MAIN("base/json_text", items_lie_where_they_are, elements_have_no_key, numbers_under_keys, cut_texts_end)
