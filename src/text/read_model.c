// SPDX-License-Identifier: Apache-2.0
// The model of a tokenizer.json: vocabulary, merges, scores.
#include <string.h>

#include "text/build.h"

// {"token": id, ...}
static Status vocab_read(Load *load, const json_t *model, Error *err) {
    const json_t *vocab = json_object_get(model, "vocab");
    if (!json_is_object(vocab))
        return FAIL(err, ERR_FORMAT, "%s: the model needs 'vocab' to be an object", load->name);
    Spelling *entries;
    size_t count = 0;
    TRY_NEW(entries = arena_array(load->scratch, json_object_size(vocab), sizeof *entries, err));
    for (void *at = json_object_iter((json_t *)vocab); at; at = json_object_iter_next((json_t *)vocab, at)) {
        const json_t *id = json_object_iter_value(at);
        const char *token = json_object_iter_key(at);
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > UINT32_MAX)
            return FAIL(err, ERR_FORMAT, "%s: the id of token '%.40s' is no unsigned integer", load->name, token);
        entries[count++] = (Spelling){token, (uint32_t)json_object_iter_key_len(at), (uint32_t)json_integer_value(id)};
    }
    return vocab_make(load->arena, load->name, entries, count, &load->tokenizer->model.vocab, err);
}

static Status optional_text(Load *load, const json_t *object, const char *key, Text *ret, Error *err) {
    const json_t *value = json_object_get(object, key);
    return !value || json_is_null(value) ? OK : need_text(load, object, "model", key, ret, err);
}

Status merge_split(const char *name, const char *text, size_t bytes, size_t rank, MergeText *ret, Error *err) {
    const char *blank = text ? memchr(text, ' ', bytes) : NULL;
    if (!blank || memchr(blank + 1, ' ', bytes - (size_t)(blank + 1 - text)))
        return FAIL(err, ERR_FORMAT, "%s: merge %zu is neither [\"a\", \"b\"] nor \"a b\"", name, rank);
    *ret = (MergeText){{text, (size_t)(blank - text)}, {blank + 1, bytes - (size_t)(blank + 1 - text)}, (uint32_t)rank};
    return OK;
}

Status merge_read(const char *name, const json_t *value, size_t rank, MergeText *ret, Error *err) {
    const json_t *left = json_array_get(value, 0), *right = json_array_get(value, 1);
    if (json_array_size(value) != 2 || !json_is_string(left) || !json_is_string(right))
        return merge_split(name, json_string_value(value), json_string_length(value), rank, ret, err);
    *ret = (MergeText){{json_string_value(left), json_string_length(left)},
                       {json_string_value(right), json_string_length(right)},
                       (uint32_t)rank};
    return OK;
}

bool merge_is_comment(const char *line, size_t bytes) {
    return bytes >= 8 && !memcmp(line, "#version", 8);
}

static Status bpe_read(Load *load, const json_t *model, Error *err) {
    Bpe *bpe = &load->tokenizer->model.bpe;
    double dropout = 0;
    TRY(json_get_real(model, load->name, "dropout", 0, 1, &dropout, err));
    if (dropout > 0)
        return FAIL(err, ERR_UNSUPPORTED, "%s: BPE with dropout %g gives other ids every time, which is not supported",
                    load->name, dropout);
    TRY(optional_text(load, model, "unk_token", &bpe->unk_token, err));
    TRY(optional_text(load, model, "continuing_subword_prefix", &bpe->prefix, err));
    TRY(optional_text(load, model, "end_of_word_suffix", &bpe->suffix, err));
    TRY(json_get_bool(model, load->name, "fuse_unk", &bpe->fuse_unk, err));
    TRY(json_get_bool(model, load->name, "byte_fallback", &bpe->byte_fallback, err));
    TRY(json_get_bool(model, load->name, "ignore_merges", &bpe->ignore_merges, err));
    TRY(vocab_read(load, model, err));
    const json_t *merges = json_object_get(model, "merges");
    if (!json_is_array(merges))
        return FAIL(err, ERR_FORMAT, "%s: the BPE model needs 'merges' to be an array", load->name);
    MergeText *texts;
    size_t count = 0;
    TRY_NEW(texts = arena_array(load->scratch, json_array_size(merges), sizeof *texts, err));
    for (size_t i = 0; i < json_array_size(merges); i++) {
        const json_t *merge = json_array_get(merges, i);
        if (json_is_string(merge) && merge_is_comment(json_string_value(merge), json_string_length(merge)))
            continue;
        TRY(merge_read(load->name, merge, count, &texts[count], err));
        count++;
    }
    return bpe_build(load, texts, count, err);
}

static Status unigram_read(Load *load, const json_t *model, Error *err) {
    const json_t *vocab = json_object_get(model, "vocab");
    size_t count = json_array_size(vocab);
    int64_t unk = -1;
    if (!json_is_array(vocab) || !count)
        return FAIL(err, ERR_FORMAT, "%s: the Unigram model needs 'vocab' to be an array of [\"token\", score]",
                    load->name);
    TRY(json_get_int(model, load->name, "unk_id", 0, (int64_t)count - 1, &unk, err));
    TRY(json_get_bool(model, load->name, "byte_fallback", &load->tokenizer->model.unigram.byte_fallback, err));
    Spelling *entries;
    double *scores;
    TRY_NEW(entries = arena_array(load->scratch, count, sizeof *entries, err));
    TRY_NEW(scores = arena_array(load->arena, count, sizeof *scores, err));
    double least = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *pair = json_array_get(vocab, i), *token = json_array_get(pair, 0),
                     *score = json_array_get(pair, 1);
        if (json_array_size(pair) != 2 || !json_is_string(token) || !json_is_number(score))
            return FAIL(err, ERR_FORMAT, "%s: entry %zu of the Unigram vocabulary is not [\"token\", score]",
                        load->name, i);
        entries[i] = (Spelling){json_string_value(token), (uint32_t)json_string_length(token), (uint32_t)i};
        scores[i] = json_number_value(score);
        least = i && least < scores[i] ? least : scores[i];
    }
    TRY(vocab_make(load->arena, load->name, entries, count, &load->tokenizer->model.vocab, err));
    load->tokenizer->model.unigram.unk_score = least - 10;
    return unigram_build(load, scores, NULL, unk, err);
}

static Status word_piece_read(Load *load, const json_t *model, Error *err) {
    WordPiece *word_piece = &load->tokenizer->model.word_piece;
    Text prefix = {"##", 2};
    int64_t most = 100;
    TRY(need_text(load, model, "WordPiece", "unk_token", &word_piece->unk_token, err));
    TRY(optional_text(load, model, "continuing_subword_prefix", &prefix, err));
    TRY(json_get_int(model, load->name, "max_input_chars_per_word", 0, INT64_MAX, &most, err));
    word_piece->max_chars = (size_t)most;
    TRY(vocab_read(load, model, err));
    return word_piece_build(load, prefix, err);
}

static Status word_level_read(Load *load, const json_t *model, Error *err) {
    WordPiece *word_level = &load->tokenizer->model.word_piece;
    TRY(need_text(load, model, "WordLevel", "unk_token", &word_level->unk_token, err));
    TRY(vocab_read(load, model, err));
    word_level->unk =
        vocab_find(&load->tokenizer->model.vocab, word_level->unk_token.data, word_level->unk_token.bytes);
    return OK;
}

// Files before 2020 name no type: what they hold tells.
static const char *type_guess(const json_t *model) {
    if (json_object_get(model, "merges"))
        return "BPE";
    if (json_is_array(json_object_get(model, "vocab")))
        return "Unigram";
    return json_object_get(model, "continuing_subword_prefix") ? "WordPiece" : "WordLevel";
}

Status read_model(Load *load, const json_t *value, Error *err) {
    static const char *const types[] = {
#define MODEL(name, type) type,
#include "text/components.def"
    };
    if (!json_is_object(value))
        return FAIL(err, ERR_FORMAT, "%s: 'model' must be an object", load->name);
    const char *type = NULL;
    TRY(json_get_text(value, load->name, "type", &type, err));
    type = type ? type : type_guess(value);
    size_t found = 0;
    while (found < MODEL_COUNT && strcmp(type, types[found]))
        found++;
    load->tokenizer->model.type = (ModelType)found;
    switch ((ModelType)found) {
    case MODEL_BPE:
        return bpe_read(load, value, err);
    case MODEL_UNIGRAM:
        return unigram_read(load, value, err);
    case MODEL_WORD_PIECE:
        return word_piece_read(load, value, err);
    case MODEL_WORD_LEVEL:
        return word_level_read(load, value, err);
    case MODEL_COUNT:
        break;
    }
    return FAIL(err, ERR_UNSUPPORTED, "%s: the model type '%.60s' is not supported", load->name, type);
}

Status read_added_tokens(Load *load, const json_t *value, Error *err) {
    if (!value || json_is_null(value))
        return OK;
    if (!json_is_array(value) || json_array_size(value) > ADDED_MAX)
        return FAIL(err, ERR_FORMAT, "%s: 'added_tokens' must be an array of at most %d", load->name, ADDED_MAX);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *token = json_array_get(value, i), *content = json_object_get(token, "content");
        if (!json_is_string(content))
            return FAIL(err, ERR_FORMAT, "%s: added token %zu has no 'content'", load->name, i);
        AddedToken added = {.content = {json_string_value(content), json_string_length(content)}};
        TRY(json_get_bool(token, load->name, "special", &added.special, err));
        added.normalized = !added.special;
        TRY(json_get_bool(token, load->name, "normalized", &added.normalized, err));
        TRY(json_get_bool(token, load->name, "single_word", &added.single_word, err));
        TRY(json_get_bool(token, load->name, "lstrip", &added.lstrip, err));
        TRY(json_get_bool(token, load->name, "rstrip", &added.rstrip, err));
        TRY(added_token_add(load, added, err));
    }
    return OK;
}

Status read_tokenizer(Load *load, const json_t *value, Error *err) {
    if (!json_is_object(value))
        return FAIL(err, ERR_FORMAT, "%s: expected an object with a 'model'", load->name);
    const char *version = "1.0";
    TRY(json_get_text(value, load->name, "version", &version, err));
    if (strcmp(version, "1.0"))
        return FAIL(err, ERR_UNSUPPORTED, "%s: version '%.20s' is not supported, expected 1.0", load->name, version);
    TRY(read_model(load, json_object_get(value, "model"), err));
    TRY(read_normalizers(load, json_object_get(value, "normalizer"), err));
    TRY(read_pre_tokenizers(load, json_object_get(value, "pre_tokenizer"), err));
    TRY(read_decoders(load, json_object_get(value, "decoder"), err));
    TRY(read_post_processor(load, json_object_get(value, "post_processor"), err));
    TRY(read_truncation(load, json_object_get(value, "truncation"), err));
    return read_added_tokens(load, json_object_get(value, "added_tokens"), err);
}
