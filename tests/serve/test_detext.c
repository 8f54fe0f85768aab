// SPDX-License-Identifier: Apache-2.0
// Text of ids as they come: whatever the tokenizer and the ids, all pieces together are what decoding everything at
// once gives, each piece is whole characters, and with real text nothing is held back for long.
#include "base/json.h"
#include "base/random.h"
#include "base/scratch.h"
#include "base/utf8.h"
#include "check.h"
#include "serve/detext.h"
#include "text/golden.h"

static Error err;

// Ids that are likely to be spelled together: runs near each other, repeats, special ones, ids without a token.
static int32_t draw_id(Random *random, int32_t before, size_t bound) {
    uint64_t kind = random_next(random) % 8;
    if (kind == 0)
        return before;
    if (kind == 1)
        return (int32_t)(random_next(random) % 8 % bound);
    if (kind == 2)
        return (int32_t)(((uint64_t)before + 1) % bound);
    return (int32_t)(random_next(random) % bound);
}

static void pieces_compare(const char *name, const Tokenizer *tokenizer, Encoder *encoder, Detext *detext,
                           const int32_t *ids, size_t count) {
    Buffer pieces = {0}, whole = {0};
    for (size_t i = 0; i < count; i++) {
        size_t before = pieces.bytes;
        CHECK_OK(detext_add(detext, ids[i], &pieces, &err));
        ck_assert_msg(utf8_valid_prefix(pieces.data + before, pieces.bytes - before) == pieces.bytes - before,
                      "%s: a piece is not whole characters", name);
    }
    CHECK_OK(detext_end(detext, &pieces, &err));
    DecodeOptions options = {.skip_special = true, .clean_up = tokenizer_cleans_up(tokenizer)};
    CHECK_OK(encoder_decode(encoder, ids, count, options, &whole, &err));
    bool same = pieces.bytes == whole.bytes && (!whole.bytes || !memcmp(pieces.data, whole.data, whole.bytes));
    ck_assert_msg(same, "%s: %zu ids give, piece by piece,\n'%s', and at once\n'%s'", name, count, pieces.data,
                  whole.data);
    buffer_done(&pieces);
    buffer_done(&whole);
}

static void tokenizer_try(const char *name, const Tokenizer *tokenizer, uint64_t seeds) {
    Encoder *encoder;
    Detext *detext;
    CHECK_OK(encoder_new(tokenizer, &encoder, &err));
    CHECK_OK(detext_new(tokenizer, encoder, &detext, &err));
    size_t bound = tokenizer_id_bound(tokenizer) + 1;
    int32_t ids[400];
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        Random random = {seed};
        size_t count = random_next(&random) % (seed % 4 ? 60 : ARRAY_COUNT(ids));
        int32_t id = 0;
        for (size_t i = 0; i < count; i++)
            ids[i] = id = draw_id(&random, id, bound);
        pieces_compare(name, tokenizer, encoder, detext, ids, count);
    }
    detext_free(detext);
    encoder_free(encoder);
}

START_TEST(test_components) {
    Arena arena;
    arena_init(&arena, 0);
    json_t *cases = cases_read(&arena, "components.json");
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *one = json_array_get(cases, i);
        const char *name = json_string_value(json_object_get(one, "name"));
        char *text = json_dumps(json_object_get(one, "tokenizer"), JSON_COMPACT);
        const Tokenizer *tokenizer;
        CHECK_OK(tokenizer_parse_json(&arena, name, (Bytes){(unsigned char *)text, strlen(text)}, &tokenizer, &err));
        memory_free(text);
        tokenizer_try(name, tokenizer, 20);
    }
    arena_done(&arena);
}
END_TEST

START_TEST(test_models) {
    static const char *const names[] = {"tiny_bpe.model", "tiny_unigram.model", "../stack/tokenizer.json"};
    Arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        const Tokenizer *tokenizer;
        char *path = source_path(&arena, names[i]);
        if (strstr(path, ".json")) {
            Bytes text;
            CHECK_OK(file_map(&arena, path, &text, &err));
            CHECK_OK(tokenizer_parse_json(&arena, path, text, &tokenizer, &err));
        } else
            CHECK_OK(tokenizer_open(&arena, path, &tokenizer, &err));
        tokenizer_try(names[i], tokenizer, 200);
    }
    arena_done(&arena);
}
END_TEST

// Spaces before points and in contractions go where tokenizer_config.json says so: what has been said may not change.
START_TEST(test_cleaned_up) {
    static const char *const words[] = {" ",    ".",   " .", "?",    "!",   ",",  "'",    " '", "s",
                                        "m",    "ve",  "re", "n",    "n't", "'t", " n'",  "do", " do",
                                        " not", "not", "no", "word", "a ",  " a", " ' s", "  "};
    Scratch scratch = scratch_make();
    Buffer text = {0};
    buffer_add_text(&text, "{\"version\":\"1.0\",\"added_tokens\":[],\"normalizer\":null,\"pre_tokenizer\":null,"
                           "\"post_processor\":null,\"decoder\":{\"type\":\"Fuse\"},\"model\":{\"type\":\"WordLevel\","
                           "\"unk_token\":\".\",\"vocab\":{");
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        buffer_add_text(&text, i ? "," : "");
        buffer_add_json(&text, words[i], strlen(words[i]));
        buffer_format(&text, ":%zu", i);
    }
    buffer_add_text(&text, "}}}");
    CHECK_OK(file_replace(scratch_path(&scratch, "tokenizer.json"), text.data, text.bytes, &err));
    static const char config[] = "{\"clean_up_tokenization_spaces\":true}";
    CHECK_OK(file_replace(scratch_path(&scratch, "tokenizer_config.json"), config, sizeof config - 1, &err));
    const Tokenizer *tokenizer;
    CHECK_OK(tokenizer_open(&scratch.arena, scratch.path, &tokenizer, &err));
    ck_assert(tokenizer_cleans_up(tokenizer));
    tokenizer_try("cleaned up", tokenizer, 2000);
    buffer_done(&text);
    scratch_done(&scratch);
}
END_TEST

// Plain text comes token by token: nothing is held back.
START_TEST(test_no_delay) {
    static const char said[] = "the train leaves at 7.50 today.";
    Arena arena;
    arena_init(&arena, 0);
    const Tokenizer *tokenizer;
    Encoder *encoder;
    Detext *detext;
    CHECK_OK(tokenizer_open(&arena, source_path(&arena, "tiny_unigram.model"), &tokenizer, &err));
    CHECK_OK(encoder_new(tokenizer, &encoder, &err));
    CHECK_OK(detext_new(tokenizer, encoder, &detext, &err));
    Encoding encoding;
    CHECK_OK(encoder_encode(encoder, said, sizeof said - 1, NULL, 0, (EncodeOptions){0}, &encoding, &err));
    int32_t ids[64];
    size_t count = encoding.count;
    ck_assert_uint_le(count, ARRAY_COUNT(ids));
    memcpy(ids, encoding.ids, count * sizeof *ids);
    Buffer pieces = {0}, whole = {0};
    for (size_t i = 0; i < count; i++) {
        CHECK_OK(detext_add(detext, ids[i], &pieces, &err));
        buffer_clear(&whole);
        CHECK_OK(encoder_decode(encoder, ids, i + 1, (DecodeOptions){.skip_special = true}, &whole, &err));
        ck_assert_uint_eq(pieces.bytes, whole.bytes);
    }
    ck_assert_str_eq(pieces.data, said);
    buffer_done(&pieces);
    buffer_done(&whole);
    detext_free(detext);
    encoder_free(encoder);
    arena_done(&arena);
}
END_TEST

TEST_MAIN("detext", test_components, test_models, test_cleaned_up, test_no_delay)
