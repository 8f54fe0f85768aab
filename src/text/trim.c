// SPDX-License-Identifier: Apache-2.0
// The ids that stay: a set that grows by tokens and what their merges join.
#include "text/trim.h"

#include <string.h>

#include "text/build.h"

struct TrimPair {
    uint32_t left, right;
};

// Merges by the id of their result, as a counting sort leaves them.
static Status pairs_gather(Arena *arena, Trim *trim, Error *err) {
    const Bpe *bpe = &trim->tokenizer->model.bpe;
    bool merges = trim->tokenizer->model.type == MODEL_BPE;
    size_t count = 0;
    TRY_NEW(trim->first = arena_array(arena, trim->rows + 2, sizeof *trim->first, err));
    uint32_t *counts = trim->first + 2; // summed up, an id's start stands one place behind it until its pairs are put
    for (size_t i = 0; merges && i <= bpe->mask; i++)
        if (bpe->slots[i].pair != UINT64_MAX) {
            count++;
            counts[bpe->slots[i].id]++;
        }
    for (size_t id = 1; id < trim->rows; id++)
        counts[id] += counts[id - 1];
    TRY_NEW(trim->pairs = arena_array(arena, count, sizeof *trim->pairs, err));
    for (size_t i = 0; merges && i <= bpe->mask; i++) {
        const PairSlot *slot = &bpe->slots[i];
        if (slot->pair != UINT64_MAX)
            trim->pairs[trim->first[slot->id + 1]++] =
                (TrimPair){(uint32_t)(slot->pair >> 32), (uint32_t)(slot->pair & UINT32_MAX)};
    }
    return OK;
}

bool trim_keep(Trim *trim, size_t id, KeepReason reason, size_t most) {
    if (trim->reasons[id]) {
        if (reason == KEEP_USED && trim->reasons[id] == KEEP_MERGES)
            trim->reasons[id] = KEEP_USED;
        return true;
    }
    size_t count = 0;
    trim->reasons[id] = (unsigned char)reason;
    trim->pending[count++] = (uint32_t)id;
    for (size_t at = 0; at < count; at++) {
        uint32_t result = trim->pending[at];
        for (uint32_t p = trim->first[result]; p < trim->first[result + 1]; p++) {
            const uint32_t parts[] = {trim->pairs[p].left, trim->pairs[p].right};
            for (int side = 0; side < 2; side++)
                if (!trim->reasons[parts[side]]) {
                    trim->reasons[parts[side]] = reason == KEEP_ROUNDING ? KEEP_ROUNDING : KEEP_MERGES;
                    trim->pending[count++] = parts[side];
                }
        }
    }
    bool fits = count <= most && trim->kept <= most - count;
    for (size_t i = 0; i < count && !fits; i++)
        trim->reasons[trim->pending[i]] = KEEP_NOT;
    trim->kept += fits ? count : 0;
    return fits;
}

static void keep(Trim *trim, int64_t id, KeepReason reason) {
    if (id >= 0 && id < (int64_t)trim->rows)
        trim_keep(trim, (size_t)id, reason, trim->rows);
}

static void template_keep(Trim *trim, const PostTemplate *template) {
    for (size_t i = 0; i < template->count; i++)
        for (size_t j = 0; template->pieces[i].sequence < 0 && j < template->pieces[i].count; j++)
            keep(trim, template->pieces[i].ids[j], KEEP_SPECIAL);
}

static uint32_t unknown_of(const Model *model) {
    return model->type == MODEL_BPE       ? model->bpe.unk
           : model->type == MODEL_UNIGRAM ? model->unigram.unk
                                          : model->word_piece.unk;
}

static void specials_keep(Trim *trim) {
    const Tokenizer *tokenizer = trim->tokenizer;
    uint32_t unknown = unknown_of(&tokenizer->model);
    for (size_t i = 0; i < tokenizer->added_count; i++)
        keep(trim, tokenizer->added[i].id, KEEP_SPECIAL);
    for (int i = 0; i < ROLE_COUNT; i++)
        keep(trim, tokenizer->roles[i], KEEP_SPECIAL);
    template_keep(trim, &tokenizer->post.single);
    template_keep(trim, &tokenizer->post.pair);
    keep(trim, unknown == ID_NONE ? TOKEN_NONE : (int64_t)unknown, KEEP_SPECIAL);
}

// What may stand before and behind a character in a token of its own.
static void affixes_of(const Model *model, Text *ret_prefix, Text *ret_suffix) {
    Text prefix = {NULL, 0}, suffix = {NULL, 0};
    if (model->type == MODEL_WORD_PIECE)
        prefix = model->word_piece.prefix;
    if (model->type == MODEL_BPE) {
        prefix = model->bpe.prefix;
        suffix = model->bpe.suffix;
    }
    *ret_prefix = prefix.data ? prefix : (Text){"", 0};
    *ret_suffix = suffix.data ? suffix : (Text){"", 0};
}

static bool is_character(const Model *model, const Spelling *token) {
    Text prefix, suffix;
    affixes_of(model, &prefix, &suffix);
    bool begins = token->bytes > prefix.bytes && !memcmp(token->text, prefix.data, prefix.bytes);
    bool ends =
        token->bytes > suffix.bytes && !memcmp(token->text + token->bytes - suffix.bytes, suffix.data, suffix.bytes);
    for (int cut = 0; cut < 4; cut++) {
        size_t before = cut & 1 ? prefix.bytes : 0, behind = cut & 2 ? suffix.bytes : 0;
        if ((cut & 1 && !begins) || (cut & 2 && !ends) || token->bytes <= before + behind)
            continue;
        if (char_bytes(token->text[before]) == token->bytes - before - behind)
            return true;
    }
    return false;
}

// Whether some character of the token, as it stands there, is no token by itself. `work` is scratch.
static bool has_rare_character(const Model *model, const Spelling *token, Buffer *work) {
    Text prefix, suffix;
    affixes_of(model, &prefix, &suffix);
    bool continues = prefix.bytes && token->bytes > prefix.bytes && !memcmp(token->text, prefix.data, prefix.bytes);
    for (size_t at = continues ? prefix.bytes : 0; at < token->bytes;) {
        size_t bytes = char_bytes(token->text[at]);
        bytes = bytes < token->bytes - at ? bytes : token->bytes - at;
        buffer_clear(work);
        if (at)
            buffer_add(work, prefix.data, prefix.bytes);
        buffer_add(work, token->text + at, bytes);
        if (work->failed == OK && vocab_find(&model->vocab, work->data, work->bytes) == ID_NONE)
            return true;
        at += bytes;
    }
    return false;
}

static Status alphabet_keep(Trim *trim, Error *err) {
    const Model *model = &trim->tokenizer->model;
    bool unigram = model->type == MODEL_UNIGRAM;
    const uint32_t *bytes = unigram && model->unigram.byte_fallback                ? model->unigram.byte_ids
                            : model->type == MODEL_BPE && model->bpe.byte_fallback ? model->bpe.byte_ids
                                                                                   : NULL;
    for (unsigned i = 0; i < 256 && bytes; i++)
        keep(trim, bytes[i] == ID_NONE ? TOKEN_NONE : (int64_t)bytes[i], KEEP_ALPHABET);
    bool rare = (unigram && !bytes) || model->type == MODEL_WORD_PIECE;
    uint32_t least = ID_NONE;
    Buffer work = {0};
    for (uint32_t id = 0; id < model->vocab.id_bound; id++) {
        const Spelling *token = &model->vocab.by_id[id];
        if (!token->text)
            continue;
        if (unigram && (least == ID_NONE || model->unigram.scores[id] < model->unigram.scores[least]))
            least = id;
        if (is_character(model, token) || (rare && has_rare_character(model, token, &work)))
            keep(trim, id, KEEP_ALPHABET);
    }
    keep(trim, least == ID_NONE ? TOKEN_NONE : (int64_t)least, KEEP_ALPHABET);
    Status status = buffer_status(&work, err);
    buffer_done(&work);
    return status;
}

Status trim_begin(Arena *arena, const Tokenizer *tokenizer, size_t rows, Trim *ret_trim, Error *err) {
    if (rows < tokenizer->id_bound)
        return FAIL(err, ERR_FORMAT, "the tokenizer has ids up to %u, and the model has %zu rows",
                    tokenizer->id_bound - 1, rows);
    if (tokenizer->model.type == MODEL_WORD_LEVEL)
        return FAIL(err, ERR_UNSUPPORTED,
                    "the tokenizer knows whole words only (WordLevel): every word that goes would become unknown");
    Trim trim = {.tokenizer = tokenizer, .rows = rows};
    TRY_NEW(trim.reasons = arena_array(arena, rows, sizeof *trim.reasons, err));
    TRY_NEW(trim.pending = arena_array(arena, rows, sizeof *trim.pending, err));
    TRY(pairs_gather(arena, &trim, err));
    specials_keep(&trim);
    TRY(alphabet_keep(&trim, err));
    *ret_trim = trim;
    return OK;
}

Status trim_number(Arena *arena, const Trim *trim, int32_t **ret_now, Error *err) {
    int32_t *now = arena_array(arena, trim->rows, sizeof *now, err), next = 0;
    TRY_NEW(now);
    for (size_t id = 0; id < trim->rows; id++)
        now[id] = trim->reasons[id] ? next++ : TOKEN_NONE;
    *ret_now = now;
    return OK;
}

Status trim_check(const Trim *trim, const int32_t *now, const Tokenizer *trimmed, Error *err) {
    size_t tokens = 0;
    for (size_t id = 0; id < trim->rows; id++) {
        size_t bytes = 0, found_bytes = 0;
        const char *token = now[id] >= 0 ? tokenizer_token(trim->tokenizer, (int64_t)id, &bytes) : NULL;
        if (!token)
            continue;
        tokens++;
        const char *found = tokenizer_token(trimmed, now[id], &found_bytes);
        if (!found || found_bytes != bytes || memcmp(found, token, bytes))
            return FAIL(err, ERR_UNSUPPORTED,
                        "the token '%.40s' (id %zu) would have id %d, where the rewritten tokenizer has '%.40s': its "
                        "files cannot hold these ids",
                        token, id, now[id], found ? found : "nothing");
    }
    if (tokenizer_token_count(trimmed) > tokens)
        return FAIL(err, ERR_UNSUPPORTED, "the rewritten tokenizer has %zu tokens, expected %zu",
                    tokenizer_token_count(trimmed), tokens);
    return OK;
}
