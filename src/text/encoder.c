// SPDX-License-Identifier: Apache-2.0
// Encoding: cuts the input at added tokens, sends the rest through normalizers, pre-tokenizers and the model,
// truncates, and lays out the post-processor's template.
#include "text/encoder.h"

#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

Status encoder_new(const Tokenizer *tokenizer, Encoder **ret, Error *err) {
    Encoder *encoder = memory_new(1, sizeof *encoder, err);
    TRY_NEW(encoder);
    *encoder = (Encoder){.tokenizer = tokenizer};
    Buffer *buffers[] = {&encoder->flows[0],     &encoder->flows[1],  &encoder->work,      &encoder->texts[0],
                         &encoder->texts[1],     &encoder->pieces[0], &encoder->pieces[1], &encoder->sequences[0],
                         &encoder->sequences[1], &encoder->result,    &encoder->symbols,   &encoder->heap,
                         &encoder->tokens[0],    &encoder->tokens[1]};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        buffers[i]->limit_bytes = WORK_MAX_BYTES;
    encoder->cache = memory_map(CACHE_SLOTS * sizeof *encoder->cache, err);
    if (!encoder->cache || matcher_new(&encoder->matcher, err) != OK) {
        encoder_free(encoder);
        return err->status;
    }
    *ret = encoder;
    return OK;
}

void encoder_free(Encoder *encoder) {
    if (!encoder)
        return;
    for (int i = 0; i < 2; i++) {
        buffer_done(&encoder->flows[i]);
        buffer_done(&encoder->texts[i]);
        buffer_done(&encoder->pieces[i]);
        buffer_done(&encoder->sequences[i]);
        buffer_done(&encoder->tokens[i]);
        buffer_done(&encoder->ends[i]);
    }
    buffer_done(&encoder->work);
    buffer_done(&encoder->result);
    buffer_done(&encoder->symbols);
    buffer_done(&encoder->heap);
    buffer_done(&encoder->nodes);
    matcher_free(encoder->matcher);
    if (encoder->cache)
        memory_unmap(encoder->cache, CACHE_SLOTS * sizeof *encoder->cache);
    memory_free(encoder);
}

static void piece_add(Encoder *encoder, size_t start, size_t bytes, size_t origin, uint32_t token) {
    if (!bytes)
        return;
    Piece piece = {(uint32_t)start, (uint32_t)bytes, (uint32_t)origin, token};
    buffer_add(&encoder->pieces[0], &piece, sizeof piece);
}

// Normalizes a stretch without raw added tokens, and cuts it at normalized ones. The text ends up in texts[0]; with
// nothing to normalize, pieces point into the input itself.
static Status segment_add(Encoder *encoder, const char *text, size_t start, size_t end, Error *err) {
    const Tokenizer *tokenizer = encoder->tokenizer;
    Flow flow = {.text = text + start, .bytes = end - start, .out = &encoder->flows[0], .spare = &encoder->flows[1]};
    flow.origin = start == 0 && end > 0 ? char_bytes(text[0]) : 0;
    size_t base = start;
    if (tokenizer->normalizer_count) {
        TRY(normalizers_run(tokenizer->normalizers, tokenizer->normalizer_count, encoder->matcher, &encoder->work,
                            &flow, err));
        base = encoder->texts[0].bytes;
        buffer_add(&encoder->texts[0], flow.text, flow.bytes);
        TRY(buffer_status(&encoder->texts[0], err));
    }
    size_t at = 0, covered = 0, from = 0;
    AddedMatch match;
    while (added_next(tokenizer, &tokenizer->added_normalized, flow.text, flow.bytes, &at, &covered, &match)) {
        if (from < match.start)
            piece_add(encoder, base + from, match.start - from, flow.origin > from ? flow.origin - from : 0, ID_NONE);
        piece_add(encoder, base + match.start, match.end - match.start, 0, match.token->id);
        from = match.end;
    }
    if (from < flow.bytes)
        piece_add(encoder, base + from, flow.bytes - from, flow.origin > from ? flow.origin - from : 0, ID_NONE);
    return OK;
}

static Status segments_cut(Encoder *encoder, const char *text, size_t bytes, Error *err) {
    const Tokenizer *tokenizer = encoder->tokenizer;
    size_t at = 0, covered = 0, from = 0;
    AddedMatch match;
    while (added_next(tokenizer, &tokenizer->added_raw, text, bytes, &at, &covered, &match)) {
        if (from < match.start)
            TRY(segment_add(encoder, text, from, match.start, err));
        piece_add(encoder, 0, 1, 0, match.token->id);
        from = match.end;
    }
    if (from < bytes)
        TRY(segment_add(encoder, text, from, bytes, err));
    return buffer_status(&encoder->pieces[0], err);
}

static Status model_encode(Encoder *encoder, const char *text, size_t bytes, Buffer *ids, Error *err) {
    const Model *model = &encoder->tokenizer->model;
    switch (model->type) {
    case MODEL_BPE:
        return bpe_encode(encoder, model, text, bytes, ids, err);
    case MODEL_UNIGRAM:
        return unigram_encode(encoder, model, text, bytes, ids, err);
    case MODEL_WORD_PIECE:
        return word_piece_encode(model, text, bytes, ids, err);
    case MODEL_WORD_LEVEL:
        return word_level_encode(model, text, bytes, ids, err);
    case MODEL_COUNT:
        break;
    }
    return FAIL(err, ERR_INTERNAL, "a tokenizer without a model");
}

static Status cached_encode(Encoder *encoder, const char *text, size_t bytes, Buffer *ids, Error *err) {
    if (bytes > CACHE_KEY_BYTES)
        return model_encode(encoder, text, bytes, ids, err);
    uint32_t hash = text_hash(text, bytes);
    CacheSlot *slot = &encoder->cache[hash % CACHE_SLOTS];
    if (slot->hash == hash && slot->bytes == bytes && !memcmp(slot->key, text, bytes)) {
        buffer_add(ids, slot->ids, slot->count * sizeof *slot->ids);
        return OK; // a failed buffer is noticed at the end
    }
    size_t before = ids->bytes;
    TRY(model_encode(encoder, text, bytes, ids, err));
    size_t count = (ids->bytes - before) / sizeof *slot->ids;
    if (count <= CACHE_IDS) {
        slot->hash = hash;
        slot->bytes = (uint8_t)bytes;
        slot->count = (uint8_t)count;
        memcpy(slot->key, text, bytes);
        if (count)
            memcpy(slot->ids, ids->data + before, count * sizeof *slot->ids);
    }
    return OK;
}

// Where the next word begins: at a U+2581 (E2 96 81) behind another character.
static size_t word_end(const char *text, size_t bytes) {
    bool space = bytes >= 3 && !memcmp(text, "\xE2\x96\x81", 3);
    for (size_t at = space ? 3 : 1; at + 3 <= bytes; at++) {
        const char *found = memchr(text + at, '\xE2', bytes - at - 2);
        if (!found)
            break;
        at = (size_t)(found - text);
        if (memcmp(found, "\xE2\x96\x81", 3))
            continue;
        bool behind_space = at >= 3 && !memcmp(found - 3, "\xE2\x96\x81", 3);
        if (!behind_space)
            return at;
        at += 2;
    }
    return bytes;
}

static Status piece_encode(Encoder *encoder, const char *text, size_t bytes, Buffer *ids, Error *err) {
    const Model *model = &encoder->tokenizer->model;
    // Not for Unigram: the sums of scores up to a word, rounded, decide between paths that tie.
    bool apart = model->type == MODEL_BPE && model->bpe.space_apart;
    while (apart && bytes) {
        size_t end = word_end(text, bytes);
        TRY(cached_encode(encoder, text, end, ids, err));
        text += end;
        bytes -= end;
    }
    return bytes ? cached_encode(encoder, text, bytes, ids, err) : OK;
}

static Status sequence_encode(Encoder *encoder, const char *text, size_t bytes, Buffer *ids, Error *err) {
    buffer_clear(ids);
    buffer_clear(&encoder->pieces[0]);
    buffer_clear(&encoder->texts[0]);
    if (bytes > TEXT_MAX_BYTES)
        return FAIL(err, ERR_LIMIT, "a text of %zu bytes, the limit is %d", bytes, TEXT_MAX_BYTES);
    size_t valid = utf8_valid_prefix(text, bytes);
    if (valid < bytes)
        return FAIL(err, ERR_FORMAT, "the text is not UTF-8: byte %zu of %zu begins no character", valid, bytes);
    TRY(segments_cut(encoder, text, bytes, err));
    const char *source = encoder->tokenizer->normalizer_count ? encoder->texts[0].data : text;
    TRY(pre_tokenizers_run(encoder, &source, err));
    const Piece *pieces = BUFFER_ITEMS(Piece, &encoder->pieces[0]);
    size_t count = BUFFER_COUNT(Piece, &encoder->pieces[0]);
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].token != ID_NONE)
            buffer_add(ids, &pieces[i].token, sizeof pieces[i].token);
        else
            TRY(piece_encode(encoder, source + pieces[i].start, pieces[i].bytes, ids, err));
    }
    return buffer_status(ids, err);
}

// How many tokens of each sequence stay, so that they and `added` more are at most max_tokens.
static Status lengths_truncate(const Truncation *t, size_t added, bool pair, size_t *lengths, Error *err) {
    if (t->max_tokens < added)
        return FAIL(err, ERR_LIMIT, "truncation to %zu tokens leaves no room for the %zu special tokens", t->max_tokens,
                    added);
    size_t most = t->max_tokens - added, total = lengths[0] + lengths[1];
    if (total <= most)
        return OK;
    if (t->strategy == TRUNCATE_LONGEST_FIRST || !most) {
        size_t shorter = lengths[0] <= lengths[1] ? 0 : 1;
        if (!pair) {
            lengths[0] = most;
        } else if (lengths[shorter] > most || 2 * lengths[shorter] > most) {
            lengths[shorter] = most / 2;
            lengths[1 - shorter] = most / 2 + most % 2;
        } else {
            lengths[1 - shorter] = most - lengths[shorter];
        }
        return OK;
    }
    int which = t->strategy == TRUNCATE_ONLY_SECOND;
    if (which && !pair)
        return FAIL(err, ERR_LIMIT, "truncation is set to cut the second text, but there is only one");
    if (lengths[which] <= total - most)
        return FAIL(err, ERR_LIMIT, "cutting all %zu tokens of the %s text would not reach %zu tokens", lengths[which],
                    which ? "second" : "first", t->max_tokens);
    lengths[which] -= total - most;
    return OK;
}

Status encoder_encode(Encoder *encoder, const char *text, size_t bytes, const char *pair, size_t pair_bytes,
                      EncodeOptions options, Encoding *ret, Error *err) {
    TRY(sequence_encode(encoder, text, bytes, &encoder->sequences[0], err));
    if (pair)
        TRY(sequence_encode(encoder, pair, pair_bytes, &encoder->sequences[1], err));
    const PostTemplate *template = pair ? &encoder->tokenizer->post.pair : &encoder->tokenizer->post.single;
    size_t full[2], lengths[2];
    for (int i = 0; i < 2; i++)
        full[i] = lengths[i] = i && !pair ? 0 : BUFFER_COUNT(uint32_t, &encoder->sequences[i]);
    if (options.truncation)
        TRY(lengths_truncate(options.truncation, options.add_special ? template->added : 0, pair != NULL, lengths,
                             err));
    bool left = options.truncation && options.truncation->side == TRUNCATE_LEFT;
    buffer_clear(&encoder->result);
    for (size_t i = 0; i < template->count; i++) {
        const TemplatePiece *piece = &template->pieces[i];
        if (piece->sequence < 0) {
            if (options.add_special)
                buffer_add(&encoder->result, piece->ids, piece->count * sizeof *piece->ids);
            continue;
        }
        int s = piece->sequence;
        const uint32_t *ids = BUFFER_ITEMS(uint32_t, &encoder->sequences[s]);
        if (lengths[s])
            buffer_add(&encoder->result, ids + (left ? full[s] - lengths[s] : 0), lengths[s] * sizeof *ids);
    }
    TRY(buffer_status(&encoder->result, err));
    *ret = (Encoding){BUFFER_ITEMS(int32_t, &encoder->result), BUFFER_COUNT(int32_t, &encoder->result)};
    return OK;
}
