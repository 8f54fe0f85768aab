// SPDX-License-Identifier: Apache-2.0
// Real vocabularies: ids, spellings and decoded texts of ../shared/data/tokenizers/samples.jsonl, when that is there.
#include "golden.h"

static Error err;

typedef struct Opened {
    char name[64];
    const Tokenizer *tokenizer;
    Encoder *encoder;
} Opened;

static Opened *opened_find(Arena *arena, Opened *opened, const char *name) {
    Opened *at = opened;
    while (at->encoder && strcmp(at->name, name))
        at++;
    if (!at->encoder) {
        snprintf(at->name, sizeof at->name, "%s", name);
        CHECK_OK(tokenizer_open(arena,
                                arena_format(arena, &err, "%s/%s", source_path(arena, "/shared/data/tokenizers"), name),
                                &at->tokenizer, &err));
        CHECK_OK(encoder_new(at->tokenizer, &at->encoder, &err));
    }
    return at;
}

static void row_compare(Opened *opened, const json_t *row) {
    const json_t *text = json_object_get(row, "text"), *ids = json_object_get(row, "ids"),
                 *tokens = json_object_get(row, "tokens");
    EncodeOptions options = {.add_special = json_is_true(json_object_get(row, "special"))};
    Encoding got = {0};
    CHECK_OK(encoder_encode(opened->encoder, json_string_value(text), json_string_length(text), NULL, 0, options, &got,
                            &err));
    ck_assert_msg(ids_equal(ids, got), "%s: other ids for '%.60s'", opened->name, json_string_value(text));
    for (size_t i = 0; i < got.count; i++) {
        size_t bytes = 0;
        const char *token = tokenizer_token(opened->tokenizer, got.ids[i], &bytes);
        ck_assert_str_eq(token, json_string_value(json_array_get(tokens, i)));
    }
    Buffer decoded = {0};
    CHECK_OK(encoder_decode(opened->encoder, got.ids, got.count, (DecodeOptions){0}, &decoded, &err));
    ck_assert_str_eq(decoded.data, json_string_value(json_object_get(row, "decoded")));
    buffer_done(&decoded);
}

START_TEST(test_samples) {
    Arena arena;
    arena_init(&arena, 0);
    char *path = source_path(&arena, "/shared/data/tokenizers/samples.jsonl");
    if (path_kind(path) != PATH_FILE) {
        arena_done(&arena);
        CHECK_SKIP("no ../shared/data/tokenizers/samples.jsonl");
    }
    Bytes file;
    Opened opened[16] = {0};
    size_t rows = 0;
    CHECK_OK(file_map(&arena, path, &file, &err));
    for (const unsigned char *line = file.data, *end = file.data + file.size; line < end; rows++) {
        const unsigned char *stop = memchr(line, '\n', (size_t)(end - line));
        stop = stop ? stop : end;
        json_t *row = NULL;
        CHECK_OK(json_parse(&arena, "row", (Bytes){line, (size_t)(stop - line)}, true, &row, &err));
        row_compare(opened_find(&arena, opened, json_string_value(json_object_get(row, "tokenizer"))), row);
        line = stop + 1;
    }
    ck_assert_uint_eq(rows, 140);
    for (size_t i = 0; i < ARRAY_COUNT(opened); i++)
        encoder_free(opened[i].encoder);
    arena_done(&arena);
}
END_TEST

// The other folders: they open, and a text comes back.
START_TEST(test_folders) {
    static const char *const names[] = {"bart-large-cnn-variant", "bert-base-cased", "t5-new-format",
                                        "sentencepiece-test/test_model.model"};
    Arena arena;
    arena_init(&arena, 0);
    char *folder = source_path(&arena, "/shared/data/tokenizers");
    if (path_kind(folder) != PATH_FOLDER) {
        arena_done(&arena);
        CHECK_SKIP("no ../shared/data/tokenizers");
    }
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        Opened opened[2] = {0};
        Opened *one = opened_find(&arena, opened, names[i]);
        Encoding got = {0};
        Buffer decoded = {0};
        CHECK_OK(encoder_encode(one->encoder, "hello world", 11, NULL, 0, (EncodeOptions){0}, &got, &err));
        CHECK_OK(encoder_decode(one->encoder, got.ids, got.count, (DecodeOptions){0}, &decoded, &err));
        ck_assert_str_eq(decoded.data, "hello world");
        buffer_done(&decoded);
        encoder_free(one->encoder);
    }
    arena_done(&arena);
}
END_TEST

TEST_MAIN("text/samples", test_samples, test_folders)
