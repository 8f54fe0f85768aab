// SPDX-License-Identifier: Apache-2.0
// Every component against the PyPI package's answers (tests/golden/text/components.json, made by
// tools/goldens/text/make_components.py).
#include "golden.h"

static Error err;

static const Tokenizer *case_open(Arena *arena, const json_t *one) {
    char *text = json_dumps(json_object_get(one, "tokenizer"), JSON_COMPACT);
    const Tokenizer *tokenizer = NULL;
    CHECK_OK(tokenizer_parse_json(arena, json_string_value(json_object_get(one, "name")),
                                  (Bytes){(unsigned char *)text, strlen(text)}, &tokenizer, &err));
    memory_free(text); // memory_init made jansson allocate there
    return tokenizer;
}

static void member_compare(Encoder *encoder, const json_t *one, const char *texts, const char *ids,
                           EncodeOptions options) {
    texts_compare(encoder, json_string_value(json_object_get(one, "name")), json_object_get(one, texts),
                  json_object_get(one, ids), options);
}

static void decoded_compare(Encoder *encoder, const json_t *one, const char *key, bool skip) {
    const json_t *lists = json_object_get(one, "decode_ids"), *want = json_object_get(one, key);
    for (size_t i = 0; i < json_array_size(want); i++) {
        const json_t *list = json_array_get(lists, i), *text = json_array_get(want, i);
        int32_t ids[64];
        Buffer got = {0};
        ck_assert_uint_le(json_array_size(list), ARRAY_COUNT(ids));
        for (size_t j = 0; j < json_array_size(list); j++)
            ids[j] = (int32_t)json_integer_value(json_array_get(list, j));
        CHECK_OK(
            encoder_decode(encoder, ids, json_array_size(list), (DecodeOptions){.skip_special = skip}, &got, &err));
        ck_assert_msg(got.bytes == json_string_length(text) && !memcmp(got.data, json_string_value(text), got.bytes),
                      "%s: decoded '%s', want '%s'", json_string_value(json_object_get(one, "name")), got.data,
                      json_string_value(text));
        buffer_done(&got);
    }
}

START_TEST(test_cases) {
    Arena arena;
    arena_init(&arena, 0);
    json_t *cases = cases_read(&arena, "components.json");
    ck_assert_uint_ge(json_array_size(cases), 90);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *one = json_array_get(cases, i);
        const Tokenizer *tokenizer = case_open(&arena, one);
        Encoder *encoder = NULL;
        CHECK_OK(encoder_new(tokenizer, &encoder, &err));
        EncodeOptions options = {.add_special = true, .truncation = tokenizer_truncation(tokenizer)};
        for (int round = 0; round < 2; round++) { // the second round answers from the cache
            member_compare(encoder, one, "texts", "ids", options);
            member_compare(encoder, one, "texts", "plain_ids", (EncodeOptions){.add_special = false});
            member_compare(encoder, one, "pairs", "pair_ids", options);
        }
        decoded_compare(encoder, one, "decoded", false);
        decoded_compare(encoder, one, "decoded_plain", true);
        encoder_free(encoder);
    }
    arena_done(&arena);
}
END_TEST

TEST_MAIN("text/components", test_cases)
