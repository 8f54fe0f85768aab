// SPDX-License-Identifier: Apache-2.0
// Texts by what their tokens tell, for a tokenizer of bytes and one with an unknown-token.
#include "measure/known.h"

#include "check.h"

static Error err;

// Ids: 0 "a", 1 to 3 the bytes of one Hangul syllable, 4 the first two of them, 5 the whole, 6 special.
static const char bytes_json[] =
    "{\"version\": \"1.0\", \"added_tokens\": [{\"id\": 6, \"content\": \"<s>\", \"special\": true, \"single_word\": "
    "false,"
    " \"lstrip\": false, \"rstrip\": false, \"normalized\": false}],"
    " \"normalizer\": null, \"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false, "
    "\"trim_offsets\": true},"
    " \"post_processor\": null, \"decoder\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": "
    "true},"
    " \"model\": {\"type\": \"BPE\", \"unk_token\": null, \"vocab\": {\"a\": 0, \"\\u00ec\": 1, \"\\u0137\": 2, "
    "\"\\u012a\":"
    " 3, \"\\u00ec\\u0137\": 4, \"\\u00ec\\u0137\\u012a\": 5}, \"merges\": [\"\\u00ec \\u0137\", \"\\u00ec\\u0137"
    " \\u012a\"]}}";

// Ids: 0 "[UNK]", 1 "a".
static const char words_json[] =
    "{\"version\": \"1.0\", \"added_tokens\": [], \"normalizer\": null, \"pre_tokenizer\": {\"type\": \"Whitespace\"},"
    " \"post_processor\": null, \"decoder\": null, \"model\": {\"type\": \"WordLevel\", \"unk_token\": \"[UNK]\","
    " \"vocab\": {\"[UNK]\": 0, \"a\": 1}}}";

static Known known_of(Arena *arena, const char *json) {
    const Tokenizer *tokenizer;
    Known known;
    CHECK_OK(
        tokenizer_parse_json(arena, "tokenizer", (Bytes){(const unsigned char *)json, strlen(json)}, &tokenizer, &err));
    CHECK_OK(known_begin(&known, arena, tokenizer, &err));
    return known;
}

START_TEST(pieces_of_characters) {
    static const int32_t syllable[] = {6, 1, 2, 3}, halves[] = {4, 3}, words[] = {0, 5, 0, 5, 0};
    Arena arena;
    arena_init(&arena, 0);
    Known known = known_of(&arena, bytes_json);
    CHECK_OK(known_check(&known, "data", "x", &err)); // nothing yet, as where all rows are ids
    CHECK_OK(known_count(&known, syllable, 1, &err));
    CHECK_FAILS(known_check(&known, "data", "x", &err), ERR_FORMAT, "data 'x' holds no text: its rows are empty");
    CHECK_OK(known_count(&known, syllable + 1, 3, &err));
    CHECK_OK(known_count(&known, halves, ARRAY_COUNT(halves), &err));
    ck_assert(known.tokens == 6 && known.special_tokens == 1 && known.piece_tokens == 5);
    CHECK_FAILS(known_check(&known, "data", "x", &err), ERR_FORMAT,
                "data 'x': 5 of its 6 tokens are pieces of characters: it is in another language or script than the "
                "tokenizer has words for");
    CHECK_OK(known_count(&known, words, ARRAY_COUNT(words), &err)); // 5 of 11
    ck_assert(known.tokens == 11 && known.piece_tokens == 5);
    CHECK_OK(known_check(&known, "data", "x", &err));
    known_done(&known);
    arena_done(&arena);
}
END_TEST

START_TEST(unknown_tokens) {
    static const int32_t ids[] = {1, 1, 1, 1, 0, 0};
    Arena arena;
    arena_init(&arena, 0);
    Known known = known_of(&arena, words_json);
    CHECK_OK(known_count(&known, ids, 5, &err));
    CHECK_OK(known_check(&known, "data", "x", &err)); // a fifth
    CHECK_OK(known_count(&known, ids + 5, 1, &err));
    CHECK_FAILS(known_check(&known, "data", "x", &err), ERR_FORMAT,
                "data 'x': the tokenizer does not know 2 of its 6 tokens: it is in another language or script");
    known_done(&known);
    arena_done(&arena);
}
END_TEST

TEST_MAIN("measure/known", pieces_of_characters, unknown_tokens)
