// SPDX-License-Identifier: Apache-2.0
// The end of every load: tables by id, the added tokens' tries, and byte-level BPE on raw bytes.
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "text/build.h"

// Special tokens first: of equal spellings after normalization, they are found.
static Status added_sort(Load *load, Error *err) {
    Tokenizer *tokenizer = load->tokenizer;
    AddedToken *sorted;
    size_t count = 0;
    TRY_NEW(sorted = arena_array(load->arena, tokenizer->added_count, sizeof *sorted, err));
    for (int special = 1; special >= 0; special--)
        for (size_t i = 0; i < tokenizer->added_count; i++)
            if (tokenizer->added[i].special == (special == 1))
                sorted[count++] = tokenizer->added[i];
    tokenizer->added = sorted;
    return OK;
}

static Status added_normalize(Load *load, Error *err) {
    Tokenizer *tokenizer = load->tokenizer;
    Buffer flows[2] = {0}, work = {0};
    Matcher *matcher = NULL;
    Status status = matcher_new(&matcher, err);
    for (size_t i = 0; i < tokenizer->added_count && status == OK; i++) {
        AddedToken *token = &tokenizer->added[i];
        token->normalized_content = token->content;
        if (!token->normalized || !tokenizer->normalizer_count)
            continue;
        Flow flow = {.text = token->content.data, .bytes = token->content.bytes, .out = &flows[0], .spare = &flows[1]};
        status = normalizers_run(tokenizer->normalizers, tokenizer->normalizer_count, matcher, &work, &flow, err);
        if (status != OK)
            break;
        token->normalized_content = (Text){arena_copy_text(load->arena, flow.text, flow.bytes, err), flow.bytes};
        status = token->normalized_content.data ? OK : err->status;
    }
    buffer_done(&flows[0]);
    buffer_done(&flows[1]);
    buffer_done(&work);
    matcher_free(matcher);
    return status;
}

static Status added_set_make(Load *load, bool normalized, AddedSet *ret, Error *err) {
    const Tokenizer *tokenizer = load->tokenizer;
    AddedSet set = {0};
    TrieKey *keys;
    TRY_NEW(keys = arena_array(load->scratch, tokenizer->added_count, sizeof *keys, err));
    for (size_t i = 0; i < tokenizer->added_count; i++) {
        Text text = tokenizer->added[i].normalized_content;
        if (tokenizer->added[i].normalized != normalized || tokenizer->added[i].unseen || !text.bytes)
            continue;
        set.starts[(unsigned char)text.data[0]] = true;
        keys[set.count++] = (TrieKey){text.data, (uint32_t)text.bytes, (uint32_t)i};
    }
    TRY(trie_make(load->arena, keys, set.count, 0, &set.trie, err));
    *ret = set;
    return OK;
}

static Status by_id_make(Load *load, Error *err) {
    Tokenizer *tokenizer = load->tokenizer;
    const Vocab *vocab = &tokenizer->model.vocab;
    tokenizer->id_bound = vocab->id_bound;
    for (size_t i = 0; i < tokenizer->added_count; i++)
        if (tokenizer->added[i].id >= tokenizer->id_bound)
            tokenizer->id_bound = tokenizer->added[i].id + 1;
    TRY_NEW(tokenizer->spellings = arena_array(load->arena, tokenizer->id_bound, sizeof *tokenizer->spellings, err));
    TRY_NEW(tokenizer->special = arena_array(load->arena, tokenizer->id_bound, sizeof *tokenizer->special, err));
    if (vocab->id_bound)
        memcpy(tokenizer->spellings, vocab->by_id, vocab->id_bound * sizeof *vocab->by_id);
    tokenizer->token_count = vocab->count;
    Spelling *entries;
    TRY_NEW(entries = arena_array(load->scratch, tokenizer->added_count, sizeof *entries, err));
    for (size_t i = 0; i < tokenizer->added_count; i++) {
        const AddedToken *token = &tokenizer->added[i];
        tokenizer->token_count += vocab_find(vocab, token->content.data, token->content.bytes) == ID_NONE;
        tokenizer->spellings[token->id] = (Spelling){token->content.data, (uint32_t)token->content.bytes, token->id};
        tokenizer->special[token->id] = token->special;
        entries[i] = (Spelling){token->content.data, (uint32_t)token->content.bytes, (uint32_t)i};
    }
    return vocab_make(load->arena, load->name, entries, tokenizer->added_count, &tokenizer->added_vocab, err);
}

// The vocabulary keyed by the raw bytes that tokens stand for; tokens outside the alphabet are never met.
static Status raw_vocab_make(Load *load, Vocab *ret, Error *err) {
    const Vocab *vocab = &load->tokenizer->model.vocab;
    Spelling *entries;
    size_t count = 0;
    TRY_NEW(entries = arena_array(load->scratch, vocab->id_bound, sizeof *entries, err));
    for (uint32_t id = 0; id < vocab->id_bound; id++) {
        const Spelling *token = &vocab->by_id[id];
        char *raw;
        TRY_NEW(raw = arena_alloc(load->scratch, token->bytes + 1u, 1, err));
        uint32_t bytes = 0;
        int byte = token->text ? 0 : -1;
        for (size_t at = 0; at < token->bytes && byte >= 0;) {
            byte = char_to_byte(char_next(token->text, &at));
            raw[bytes++] = (char)byte;
        }
        if (byte >= 0)
            entries[count++] = (Spelling){raw, bytes, id};
    }
    return vocab_make(load->arena, load->name, entries, count, ret, err);
}

// When ByteLevel is the last step before a plain BPE, the model may read bytes instead of their spelling.
static Status byte_level_shorten(Load *load, Error *err) {
    Tokenizer *tokenizer = load->tokenizer;
    Bpe *bpe = &tokenizer->model.bpe;
    size_t count = tokenizer->pre_tokenizer_count, byte_levels = 0;
    for (size_t i = 0; i < count; i++)
        byte_levels += tokenizer->pre_tokenizers[i].type == PRE_TOKENIZER_BYTE_LEVEL;
    if (tokenizer->model.type != MODEL_BPE || byte_levels != 1 ||
        tokenizer->pre_tokenizers[count - 1].type != PRE_TOKENIZER_BYTE_LEVEL || bpe->byte_fallback ||
        bpe->prefix.bytes || bpe->suffix.bytes)
        return OK;
    tokenizer->pre_tokenizers[count - 1].raw = bpe->raw = true;
    bpe->space_apart = false;
    for (unsigned i = 0; i < 256; i++) {
        char text[4];
        bpe->byte_ids[i] = vocab_find(&tokenizer->model.vocab, text, utf8_encode(char_of_byte((unsigned char)i), text));
    }
    return bpe->ignore_merges ? raw_vocab_make(load, &bpe->raw_vocab, err) : OK;
}

Status load_finish(Load *load, Error *err) {
    Tokenizer *tokenizer = load->tokenizer;
    TRY(added_sort(load, err));
    TRY(added_normalize(load, err));
    TRY(added_set_make(load, false, &tokenizer->added_raw, err));
    TRY(added_set_make(load, true, &tokenizer->added_normalized, err));
    TRY(by_id_make(load, err));
    return byte_level_shorten(load, err);
}
