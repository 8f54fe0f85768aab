// SPDX-License-Identifier: Apache-2.0
// SentencePiece models by themselves and in folders, against SentencePiece and transformers' slow tokenizers
// (tests/golden/text, made by tools/goldens/text/make_sentencepiece.py).
#include <unistd.h>

#include "golden.h"

static Error err;

// A folder with the model and a tokenizer_config.json, under /tmp.
static char *folder_make(Arena *arena, const char *model, const json_t *config) {
    char *folder = arena_format(arena, &err, "/tmp/hone-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    char *text = json_dumps(config, JSON_COMPACT);
    Bytes data;
    CHECK_OK(file_map(arena, model, &data, &err));
    CHECK_OK(file_replace(path_join(arena, folder, "tokenizer_config.json", &err), text, strlen(text), &err));
    CHECK_OK(file_replace(path_join(arena, folder, "spiece.model", &err), data.data, data.size, &err));
    memory_free(text);
    return folder;
}

static void folder_remove(Arena *arena, const char *folder) {
    unlink(path_join(arena, folder, "tokenizer_config.json", &err));
    unlink(path_join(arena, folder, "spiece.model", &err));
    rmdir(folder);
}

START_TEST(test_cases) {
    Arena arena;
    arena_init(&arena, 0);
    json_t *cases = cases_read(&arena, "sentencepiece.json");
    ck_assert_uint_eq(json_array_size(cases), 7);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *one = json_array_get(cases, i), *config = json_object_get(one, "config");
        const char *name = json_string_value(json_object_get(one, "model"));
        char *path = arena_format(&arena, &err, "%s.model", source_path(&arena, name));
        if (json_is_object(config))
            path = folder_make(&arena, path, config);
        const Tokenizer *tokenizer = NULL;
        Encoder *encoder = NULL;
        CHECK_OK(tokenizer_open(&arena, path, &tokenizer, &err));
        CHECK_OK(encoder_new(tokenizer, &encoder, &err));
        name = json_is_object(config) ? json_string_value(json_object_get(config, "tokenizer_class")) : name;
        EncodeOptions options = {.add_special = true};
        texts_compare(encoder, name, json_object_get(one, "texts"), json_object_get(one, "ids"), options);
        json_t *pairs = json_array(), *texts = json_object_get(one, "texts");
        for (size_t j = 0; j + 1 < json_array_size(texts); j++)
            json_array_append_new(pairs, json_pack("[O,O]", json_array_get(texts, j), json_array_get(texts, j + 1)));
        texts_compare(encoder, name, pairs, json_object_get(one, "pair_ids"), options);
        json_decref(pairs);
        encoder_free(encoder);
        if (json_is_object(config))
            folder_remove(&arena, path);
    }
    arena_done(&arena);
}
END_TEST

START_TEST(test_decodes) {
    Arena arena;
    arena_init(&arena, 0);
    const Tokenizer *tokenizer = NULL;
    Encoder *encoder = NULL;
    CHECK_OK(tokenizer_open(&arena, source_path(&arena, "tiny_bpe.model"), &tokenizer, &err));
    CHECK_OK(encoder_new(tokenizer, &encoder, &err));
    const char *text = "  The train,  \xF0\x9F\x98\xBA today";
    Encoding encoding;
    Buffer decoded = {0};
    CHECK_OK(encoder_encode(encoder, text, strlen(text), NULL, 0, (EncodeOptions){0}, &encoding, &err));
    CHECK_OK(encoder_decode(encoder, encoding.ids, encoding.count, (DecodeOptions){0}, &decoded, &err));
    ck_assert_str_eq(decoded.data, text); // every byte has a piece, and blanks are kept
    buffer_done(&decoded);
    encoder_free(encoder);
    arena_done(&arena);
}
END_TEST

// Every beginning of a model, and every byte changed in turn, loads or is refused: nothing else.
START_TEST(test_broken) {
    Arena arena;
    arena_init(&arena, 0);
    Bytes model;
    const Tokenizer *tokenizer;
    CHECK_OK(file_map(&arena, source_path(&arena, "tiny_bpe.model"), &model, &err));
    CHECK_FAILS(tokenizer_parse_sentencepiece(&arena, "m", (Bytes){model.data, 0}, &tokenizer, &err), ERR_FORMAT,
                "has no pieces");
    CHECK_FAILS(tokenizer_parse_sentencepiece(&arena, "m", (Bytes){model.data, 13}, &tokenizer, &err), ERR_FORMAT,
                "m: not a SentencePiece model: a broken field");
    unsigned char *copy = arena_alloc(&arena, model.size, 1, &err);
    size_t refused = 0;
    for (size_t i = 0; i < model.size; i += 7) {
        Arena each;
        arena_init(&each, 0);
        memcpy(copy, model.data, model.size);
        copy[i] ^= (unsigned char)(1 + i % 255);
        Status status = tokenizer_parse_sentencepiece(&each, "m", (Bytes){copy, model.size}, &tokenizer, &err);
        ck_assert_msg(status == OK || status == ERR_FORMAT || status == ERR_LIMIT || status == ERR_UNSUPPORTED,
                      "byte %zu: %s", i, err.message);
        refused += status != OK;
        arena_done(&each);
    }
    ck_assert_uint_gt(refused, 100);
    arena_done(&arena);
}
END_TEST

TEST_MAIN("text/sentencepiece", test_cases, test_decodes, test_broken)
