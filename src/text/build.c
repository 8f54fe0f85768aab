// SPDX-License-Identifier: Apache-2.0
// Models from their vocabularies: merge tables, tries, and the short cuts that make encoding fast without changing an
// id.
#include "text/build.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static const char space_mark[] = "\xE2\x96\x81"; // U+2581

Status load_begin(Arena *arena, Arena *scratch, const char *name, Load *ret, Error *err) {
    Load load = {.arena = arena, .scratch = scratch, .name = name};
    TRY_NEW(load.tokenizer = arena_array(arena, 1, sizeof *load.tokenizer, err));
    for (int i = 0; i < ROLE_COUNT; i++)
        load.tokenizer->roles[i] = TOKEN_NONE;
    *ret = load;
    return OK;
}

// The ids of "<0x00>" to "<0xFF>".
static void byte_tokens_find(const Vocab *vocab, uint32_t *ret_ids) {
    for (unsigned i = 0; i < 256; i++) {
        char text[8];
        snprintf(text, sizeof text, "<0x%02X>", i);
        ret_ids[i] = vocab_find(vocab, text, 6);
    }
}

static bool begins_with_space(Text text) {
    return text.bytes >= 3 && !memcmp(text.data, space_mark, 3);
}

static bool ends_with_space(Text text) {
    return text.bytes >= 3 && !memcmp(text.data + text.bytes - 3, space_mark, 3);
}

Status merge_find(const Model *model, const MergeText *merge, Buffer *joined, MergeIds *ret, Error *err) {
    const Bpe *bpe = &model->bpe;
    buffer_clear(joined);
    buffer_add(joined, merge->left.data, merge->left.bytes);
    size_t cut = bpe->prefix.bytes < merge->right.bytes ? bpe->prefix.bytes : merge->right.bytes;
    buffer_add(joined, merge->right.data + cut, merge->right.bytes - cut);
    TRY(buffer_status(joined, err));
    *ret = (MergeIds){vocab_find(&model->vocab, merge->left.data, merge->left.bytes),
                      vocab_find(&model->vocab, merge->right.data, merge->right.bytes),
                      vocab_find(&model->vocab, joined->data ? joined->data : "", joined->bytes)};
    return OK;
}

static Status merge_add(Load *load, const MergeText *merge, Buffer *joined, Error *err) {
    Bpe *bpe = &load->tokenizer->model.bpe;
    MergeIds ids;
    TRY(merge_find(&load->tokenizer->model, merge, joined, &ids, err));
    if (ids.left == ID_NONE || ids.right == ID_NONE || ids.result == ID_NONE)
        return FAIL(err, ERR_FORMAT, "%s: merge %u, '%.30s' with '%.30s', needs a token that the vocabulary lacks",
                    load->name, merge->rank, merge->left.data, merge->right.data);
    uint64_t pair = (uint64_t)ids.left << 32 | ids.right;
    uint32_t i = (uint32_t)(pair * 0x9E3779B97F4A7C15u >> 32) & bpe->mask;
    while (bpe->slots[i].pair != UINT64_MAX && bpe->slots[i].pair != pair)
        i = (i + 1) & bpe->mask;
    bpe->slots[i] = (PairSlot){pair, merge->rank, ids.result};
    if (begins_with_space(merge->right) && !ends_with_space(merge->left))
        bpe->space_apart = false;
    return OK;
}

Status bpe_build(Load *load, const MergeText *merges, size_t count, Error *err) {
    Model *model = &load->tokenizer->model;
    Bpe *bpe = &model->bpe;
    uint32_t size = 16;
    while (size < 2 * count)
        size *= 2;
    bpe->mask = size - 1;
    TRY_NEW(bpe->slots = arena_array(load->arena, size, sizeof *bpe->slots, err));
    memset(bpe->slots, 0xFF, size * sizeof *bpe->slots);
    bpe->space_apart = !bpe->ignore_merges && !bpe->prefix.bytes && !bpe->suffix.bytes &&
                       vocab_find(&model->vocab, space_mark, 3) != ID_NONE;
    Buffer joined = {0};
    Status status = OK;
    for (size_t i = 0; i < count && status == OK; i++)
        status = merge_add(load, &merges[i], &joined, err);
    buffer_done(&joined);
    TRY(status);
    bpe->unk = bpe->unk_token.data ? vocab_find(&model->vocab, bpe->unk_token.data, bpe->unk_token.bytes) : ID_NONE;
    byte_tokens_find(&model->vocab, bpe->byte_ids);
    for (int c = 0; c < 128; c++) {
        char text[1] = {(char)c};
        bpe->ascii_ids[c] = vocab_find(&model->vocab, text, 1);
    }
    return OK;
}

// A trie of the vocabulary; `in_trie` NULL: all of it. Of equal spellings the later id counts.
static Status vocab_trie(Load *load, const bool *in_trie, Trie *ret, Error *err) {
    const Vocab *vocab = &load->tokenizer->model.vocab;
    TrieKey *keys;
    size_t count = 0;
    TRY_NEW(keys = arena_array(load->scratch, vocab->id_bound, sizeof *keys, err));
    for (uint32_t id = 0; id < vocab->id_bound; id++)
        if (vocab->by_id[id].text && (!in_trie || in_trie[id]))
            keys[count++] = (TrieKey){vocab->by_id[id].text, vocab->by_id[id].bytes, id};
    return trie_make(load->arena, keys, count, 1, ret, err);
}

Status unigram_build(Load *load, double *scores, const bool *in_trie, int64_t unk, Error *err) {
    Model *model = &load->tokenizer->model;
    Unigram *unigram = &model->unigram;
    unigram->scores = scores;
    unigram->unk = unk < 0 ? ID_NONE : (uint32_t)unk;
    byte_tokens_find(&model->vocab, unigram->byte_ids);
    return vocab_trie(load, in_trie, &unigram->trie, err);
}

Status word_piece_build(Load *load, Text prefix, Error *err) {
    Model *model = &load->tokenizer->model;
    WordPiece *word_piece = &model->word_piece;
    word_piece->prefix = prefix;
    TRY(vocab_trie(load, NULL, &word_piece->trie, err));
    word_piece->unk = vocab_find(&model->vocab, word_piece->unk_token.data, word_piece->unk_token.bytes);
    word_piece->continuing = TRIE_ROOT;
    for (size_t i = 0; i < prefix.bytes && word_piece->continuing != TRIE_NONE; i++)
        word_piece->continuing = trie_step(&word_piece->trie, word_piece->continuing, (unsigned char)prefix.data[i]);
    return OK;
}

Status charsmap_read(Load *load, const unsigned char *data, size_t bytes, Normalizer *n, Error *err) {
    uint32_t trie_bytes =
        bytes < 4 ? 0 : data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24;
    if (trie_bytes < 4 || trie_bytes % 4 || trie_bytes > bytes - 4)
        return FAIL(err, ERR_FORMAT, "%s: the precompiled_charsmap of %zu bytes says its trie takes %u", load->name,
                    bytes, trie_bytes);
    uint32_t *units;
    n->unit_count = trie_bytes / 4;
    TRY_NEW(units = arena_array(load->arena, n->unit_count, sizeof *units, err));
    for (size_t i = 0; i < n->unit_count; i++) {
        const unsigned char *p = data + 4 + 4 * i;
        units[i] = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    }
    n->units = units;
    n->replacements.bytes = bytes - 4 - trie_bytes;
    TRY_NEW(n->replacements.data =
                arena_copy_text(load->arena, (const char *)data + 4 + trie_bytes, n->replacements.bytes, err));
    size_t valid = utf8_valid_prefix(n->replacements.data, n->replacements.bytes);
    if (valid < n->replacements.bytes)
        return FAIL(err, ERR_FORMAT, "%s: the precompiled_charsmap's texts are not UTF-8 at byte %zu", load->name,
                    valid);
    charsmap_prepare(n);
    return OK;
}

// Doubles the room for added tokens and for their positions by content.
static Status added_grow(Load *load, Error *err) {
    const Tokenizer *tokenizer = load->tokenizer;
    uint32_t capacity = load->added_capacity ? load->added_capacity * 2 : 8;
    AddedToken *added;
    TRY_NEW(added = arena_array(load->arena, capacity, sizeof *added, err));
    TRY_NEW(load->added_slots = arena_array(load->scratch, 2 * capacity, sizeof *load->added_slots, err));
    memset(load->added_slots, 0xFF, 2 * capacity * sizeof *load->added_slots);
    load->added_mask = 2 * capacity - 1;
    load->added_capacity = capacity;
    for (size_t i = 0; i < tokenizer->added_count; i++) {
        added[i] = tokenizer->added[i];
        uint32_t at = text_hash(added[i].content.data, added[i].content.bytes) & load->added_mask;
        while (load->added_slots[at] != ID_NONE)
            at = (at + 1) & load->added_mask;
        load->added_slots[at] = (uint32_t)i;
    }
    load->tokenizer->added = added;
    return OK;
}

Status added_token_add(Load *load, AddedToken token, Error *err) {
    Tokenizer *tokenizer = load->tokenizer;
    const Vocab *vocab = &tokenizer->model.vocab;
    if (!token.content.bytes)
        return OK;
    if (token.content.bytes > ADDED_MAX_BYTES)
        return FAIL(err, ERR_LIMIT, "%s: the added token '%.40s...' is %zu bytes long, the limit is %d", load->name,
                    token.content.data, token.content.bytes, ADDED_MAX_BYTES);
    if (tokenizer->added_count == load->added_capacity)
        TRY(added_grow(load, err));
    uint32_t at = text_hash(token.content.data, token.content.bytes) & load->added_mask;
    for (; load->added_slots[at] != ID_NONE; at = (at + 1) & load->added_mask) {
        AddedToken *same = &tokenizer->added[load->added_slots[at]];
        if (same->content.bytes == token.content.bytes &&
            !memcmp(same->content.data, token.content.data, token.content.bytes)) {
            token.id = same->id;
            token.content = same->content;
            token.special = token.special || same->special;
            *same = token;
            return OK;
        }
    }
    if (!load->next_id)
        load->next_id = tokenizer->model.type == MODEL_UNIGRAM ? vocab->id_bound : vocab->count;
    token.id = vocab_find(vocab, token.content.data, token.content.bytes);
    if (token.id == ID_NONE)
        token.id = load->next_id++;
    if (token.id >= ID_BOUND_MAX)
        return FAIL(err, ERR_LIMIT, "%s: more than %d tokens", load->name, ID_BOUND_MAX);
    TRY_NEW(token.content.data = arena_copy_text(load->arena, token.content.data, token.content.bytes, err));
    load->added_slots[at] = (uint32_t)tokenizer->added_count;
    tokenizer->added[tokenizer->added_count++] = token;
    return OK;
}
