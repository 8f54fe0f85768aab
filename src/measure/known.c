// SPDX-License-Identifier: Apache-2.0
// Tokens by what they tell of a text.
#include "measure/known.h"

#include <string.h>

enum { MOST_UNKNOWN_PERCENT = 20, MOST_PIECES_PERCENT = 50 };

enum { KIND_WORD = 1, KIND_SPECIAL, KIND_PIECE };

// As the settings name it, or as vocabularies without settings spell it.
static int64_t unknown_token(const Tokenizer *tokenizer) {
    static const char *const spellings[] = {"<unk>", "[UNK]"};
    int64_t id = tokenizer_special_id(tokenizer, "unk_token");
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings && id == TOKEN_NONE; i++)
        id = tokenizer_find(tokenizer, spellings[i], strlen(spellings[i]));
    return id;
}

Status known_begin(Known *known, Arena *arena, const Tokenizer *tokenizer, Error *err) {
    *known = (Known){.tokenizer = tokenizer, .ids = tokenizer_id_bound(tokenizer), .unknown = unknown_token(tokenizer)};
    TRY_NEW(known->kinds = arena_array(arena, known->ids, 1, err));
    return encoder_new(tokenizer, &known->encoder, err);
}

// A token that is part of a character decodes to U+FFFD by itself.
static Status kind_find(Known *known, int32_t id, Error *err) {
    unsigned char kind = KIND_SPECIAL;
    if (!tokenizer_is_special(known->tokenizer, id)) {
        buffer_clear(&known->text);
        TRY(encoder_decode(known->encoder, &id, 1, (DecodeOptions){0}, &known->text, err));
        kind = known->text.bytes && strstr(known->text.data, "\xEF\xBF\xBD") ? KIND_PIECE : KIND_WORD;
    }
    known->kinds[id] = kind;
    return OK;
}

Status known_count(Known *known, const int32_t *ids, size_t count, Error *err) {
    for (size_t i = 0; i < count; i++) {
        int32_t id = ids[i];
        known->tokens++;
        known->unknown_tokens += id == known->unknown;
        if (id == known->unknown || id < 0 || (size_t)id >= known->ids)
            continue;
        if (!known->kinds[id])
            TRY(kind_find(known, id, err));
        known->special_tokens += known->kinds[id] == KIND_SPECIAL;
        known->piece_tokens += known->kinds[id] == KIND_PIECE;
    }
    return OK;
}

Status known_check(const Known *known, const char *what, const char *name, Error *err) {
    size_t tokens = known->tokens;
    if (tokens && known->special_tokens == tokens)
        return FAIL(err, ERR_FORMAT, "%s '%s' holds no text: its rows are empty", what, name);
    if (known->unknown_tokens * 100 > tokens * MOST_UNKNOWN_PERCENT)
        return FAIL(
            err, ERR_FORMAT,
            "%s '%s': the tokenizer does not know %zu of its %zu tokens: it is in another language or script than "
            "the tokenizer can see",
            what, name, known->unknown_tokens, tokens);
    if (known->piece_tokens * 100 > tokens * MOST_PIECES_PERCENT)
        return FAIL(
            err, ERR_FORMAT,
            "%s '%s': %zu of its %zu tokens are pieces of characters: it is in another language or script than the "
            "tokenizer has words for; rows of input_ids are taken as they are",
            what, name, known->piece_tokens, tokens);
    return OK;
}

void known_done(Known *known) {
    encoder_free(known->encoder);
    buffer_done(&known->text);
    *known = (Known){0};
}
