// SPDX-License-Identifier: Apache-2.0
// SentencePiece models: a protobuf message (sentencepiece_model.proto) read field by field within its bounds, then
// built from the same parts as a tokenizer.json, such that ids are SentencePiece's own.
#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "text/build.h"

typedef enum PieceType {
    PIECE_NORMAL = 1,
    PIECE_UNKNOWN,
    PIECE_CONTROL,
    PIECE_USER_DEFINED,
    PIECE_UNUSED,
    PIECE_BYTE
} PieceType;

typedef struct SpPiece {
    Text text;
    float score;
    PieceType type;
} SpPiece;

typedef struct SpModel {
    SpPiece *pieces;
    size_t count, capacity;
    uint64_t model_type; // 1 unigram, 2 BPE, 3 word, 4 char
    bool byte_fallback, suffix_spaces, dummy_prefix, trims_spaces, escapes_spaces;
    Bytes charsmap;
} SpModel;

// One field of a message: a varint, or bytes (also of the fixed widths).
typedef struct Field {
    uint32_t number, wire;
    uint64_t varint;
    Bytes bytes;
} Field;

static bool varint_read(Bytes *from, uint64_t *ret) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && from->size; shift += 7) {
        unsigned char byte = *from->data++;
        from->size--;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *ret = value;
            return true;
        }
    }
    return false;
}

static Status field_read(Load *load, Bytes *from, Field *ret, Error *err) {
    uint64_t key, size = 0;
    size_t left = from->size;
    bool good = varint_read(from, &key) && key >> 3 && key >> 3 < 1u << 29;
    Field field = {.number = (uint32_t)(key >> 3), .wire = key & 7};
    if (good && field.wire == 0)
        good = varint_read(from, &field.varint);
    else if (good && field.wire == 2)
        good = varint_read(from, &size);
    else
        size = field.wire == 1 ? 8 : 4;
    good = good && (field.wire <= 2 || field.wire == 5) && (field.wire == 0 || size <= from->size);
    if (!good)
        return FAIL(err, ERR_FORMAT,
                    "%s: not a SentencePiece model: a broken field %zu bytes before the end of its message", load->name,
                    left);
    if (field.wire != 0) {
        field.bytes = (Bytes){from->data, (size_t)size};
        from->data += size;
        from->size -= (size_t)size;
    }
    *ret = field;
    return OK;
}

static Status piece_read(Load *load, Bytes from, SpPiece *ret, Error *err) {
    SpPiece piece = {{"", 0}, 0, PIECE_NORMAL};
    while (from.size) {
        Field field;
        TRY(field_read(load, &from, &field, err));
        if (field.number == 1 && field.wire == 2)
            piece.text = (Text){(const char *)field.bytes.data, field.bytes.size};
        else if (field.number == 2 && field.wire == 5)
            memcpy(&piece.score, field.bytes.data, sizeof piece.score);
        else if (field.number == 3 && field.wire == 0)
            piece.type = field.varint >= 1 && field.varint <= 6 ? (PieceType)field.varint : PIECE_NORMAL;
    }
    if (isnan(piece.score) || utf8_valid_prefix(piece.text.data, piece.text.bytes) < piece.text.bytes ||
        !piece.text.bytes)
        return FAIL(err, ERR_FORMAT, "%s: a SentencePiece piece is empty, not UTF-8, or its score not a number",
                    load->name);
    if (piece.text.bytes > SPELLING_MAX_BYTES)
        return FAIL(err, ERR_LIMIT, "%s: a SentencePiece piece of %zu bytes, the limit is %d", load->name,
                    piece.text.bytes, SPELLING_MAX_BYTES);
    *ret = piece;
    return OK;
}

static Status piece_add(Load *load, SpModel *model, SpPiece piece, Error *err) {
    if (model->count == model->capacity) {
        size_t capacity = model->capacity ? model->capacity * 2 : 1024;
        SpPiece *pieces;
        if (capacity > ID_BOUND_MAX)
            return FAIL(err, ERR_LIMIT, "%s: more than %d pieces", load->name, ID_BOUND_MAX / 2);
        TRY_NEW(pieces = arena_array(load->scratch, capacity, sizeof *pieces, err));
        if (model->count)
            memcpy(pieces, model->pieces, model->count * sizeof *pieces);
        model->pieces = pieces;
        model->capacity = capacity;
    }
    model->pieces[model->count++] = piece;
    return OK;
}

static Status trainer_read(Load *load, Bytes from, SpModel *model, Error *err) {
    while (from.size) {
        Field field;
        TRY(field_read(load, &from, &field, err));
        if (field.number == 3 && field.wire == 0)
            model->model_type = field.varint;
        else if (field.number == 24 && field.wire == 0)
            model->suffix_spaces = field.varint;
        else if (field.number == 35 && field.wire == 0)
            model->byte_fallback = field.varint;
    }
    return OK;
}

static Status normalizer_read(Load *load, Bytes from, SpModel *model, Error *err) {
    while (from.size) {
        Field field;
        TRY(field_read(load, &from, &field, err));
        if (field.number == 2 && field.wire == 2)
            model->charsmap = field.bytes;
        else if (field.number == 3 && field.wire == 0)
            model->dummy_prefix = field.varint;
        else if (field.number == 4 && field.wire == 0)
            model->trims_spaces = field.varint;
        else if (field.number == 5 && field.wire == 0)
            model->escapes_spaces = field.varint;
    }
    return OK;
}

static Status message_read(Load *load, Bytes from, SpModel *ret, Error *err) {
    SpModel model = {.model_type = 1, .dummy_prefix = true, .trims_spaces = true, .escapes_spaces = true};
    while (from.size) {
        Field field;
        TRY(field_read(load, &from, &field, err));
        SpPiece piece = {0};
        if (field.wire != 2)
            continue;
        if (field.number == 1) {
            TRY(piece_read(load, field.bytes, &piece, err));
            TRY(piece_add(load, &model, piece, err));
        } else if (field.number == 2) {
            TRY(trainer_read(load, field.bytes, &model, err));
        } else if (field.number == 3) {
            TRY(normalizer_read(load, field.bytes, &model, err));
        }
    }
    if (!model.count)
        return FAIL(err, ERR_FORMAT, "%s: not a SentencePiece model: it has no pieces", load->name);
    if (model.model_type != 1 && model.model_type != 2)
        return FAIL(err, ERR_UNSUPPORTED,
                    "%s: SentencePiece model type %llu is not supported, 1 (unigram) and 2 (BPE) are", load->name,
                    (unsigned long long)model.model_type);
    if (model.suffix_spaces || !model.escapes_spaces)
        return FAIL(err, ERR_UNSUPPORTED, "%s: a SentencePiece model with %s is not supported", load->name,
                    model.suffix_spaces ? "treat_whitespace_as_suffix" : "escape_whitespaces off");
    *ret = model;
    return OK;
}

static Status replace_add(Load *load, const char *regex, const char *literal, const char *content, Error *err) {
    Normalizer *n;
    TRY_NEW(n = normalizer_add(load, NORMALIZER_REPLACE, err));
    n->content = (Text){content, strlen(content)};
    if (literal)
        return pattern_make_literal(load->arena, literal, strlen(literal), &n->pattern, err);
    return pattern_make_regex(load->arena, load->name, regex, strlen(regex), &n->pattern, err);
}

// What SentencePiece does to a text before it cuts: replace, trim and join blanks, put one in front, write them as
// U+2581.
static Status normalizers_make(Load *load, const SpModel *model, bool cuts_symbols, Error *err) {
    Normalizer *n;
    if (model->charsmap.size) {
        TRY_NEW(n = normalizer_add(load, NORMALIZER_PRECOMPILED, err));
        n->longest = true;
        TRY(charsmap_read(load, model->charsmap.data, model->charsmap.size, n, err));
    }
    if (model->trims_spaces) {
        if (!cuts_symbols)
            TRY(replace_add(load, "\\A +|[ \\x{2581}]+\\z", NULL, "", err));
        TRY(replace_add(load, " {2,}", NULL, " ", err));
    }
    if (cuts_symbols) { // the text comes in parts: only the first gets the prefix
        PreTokenizer *p;
        TRY_NEW(p = pre_tokenizer_add(load, PRE_TOKENIZER_METASPACE, err));
        p->character = 0x2581;
        p->prepend = model->dummy_prefix ? PREPEND_FIRST : PREPEND_NEVER;
        return OK;
    }
    if (model->dummy_prefix) {
        TRY_NEW(n = normalizer_add(load, NORMALIZER_PREPEND, err));
        n->content = (Text){"\xE2\x96\x81", 3};
    }
    return replace_add(load, NULL, " ", "\xE2\x96\x81", err);
}

static Status decoders_make(Load *load, const SpModel *model, Error *err) {
    Decoder *d;
    TRY_NEW(d = decoder_add(load, DECODER_REPLACE, err));
    d->content = (Text){" ", 1};
    TRY(pattern_make_literal(load->arena, "\xE2\x96\x81", 3, &d->pattern, err));
    TRY_NEW(decoder_add(load, DECODER_BYTE_FALLBACK, err));
    TRY_NEW(decoder_add(load, DECODER_FUSE, err));
    if (!model->dummy_prefix)
        return OK;
    TRY_NEW(d = decoder_add(load, DECODER_STRIP, err));
    d->character = ' ';
    d->start = 1;
    return OK;
}

static Status unigram_make(Load *load, const SpModel *model, int64_t unk, Error *err) {
    Unigram *unigram = &load->tokenizer->model.unigram;
    double *scores;
    bool *in_trie;
    float least = 0, most = 0;
    bool any = false;
    TRY_NEW(scores = arena_array(load->arena, model->count, sizeof *scores, err));
    TRY_NEW(in_trie = arena_array(load->scratch, model->count, sizeof *in_trie, err));
    for (size_t i = 0; i < model->count; i++) {
        const SpPiece *piece = &model->pieces[i];
        scores[i] = (double)piece->score;
        in_trie[i] = piece->type == PIECE_NORMAL || piece->type == PIECE_USER_DEFINED;
        if (piece->type != PIECE_NORMAL)
            continue;
        least = any && least < piece->score ? least : piece->score;
        most = any && most > piece->score ? most : piece->score;
        any = true;
    }
    unigram->unk_score = (double)(least - 10.0F);
    unigram->byte_fallback = model->byte_fallback;
    unigram->sentencepiece = true;
    return unigram_build(load, scores, in_trie, unk, err);
}

typedef struct Ranked {
    float score;
    uint32_t piece;
} Ranked;

static int ranked_compare(const void *a, const void *b) {
    const Ranked *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->piece > y->piece) - (x->piece < y->piece);
}

// SentencePiece merges whatever makes a piece, the best score first: every cut of a piece into two pieces is a merge,
// and pieces of one score have one rank.
static Status bpe_make(Load *load, const SpModel *model, Error *err) {
    Model *made = &load->tokenizer->model;
    Ranked *ranked;
    size_t count = 0, cuts = 0, merges = 0;
    TRY_NEW(ranked = arena_array(load->scratch, model->count, sizeof *ranked, err));
    for (size_t i = 0; i < model->count; i++)
        if (model->pieces[i].type == PIECE_NORMAL) {
            ranked[count++] = (Ranked){model->pieces[i].score, (uint32_t)i};
            cuts += model->pieces[i].text.bytes;
        }
    if (cuts > (size_t)64 << 20)
        return FAIL(err, ERR_LIMIT, "%s: pieces of %zu bytes in all are too many for a BPE model", load->name, cuts);
    qsort(ranked, count, sizeof *ranked, ranked_compare);
    MergeText *texts;
    TRY_NEW(texts = arena_array(load->scratch, cuts, sizeof *texts, err));
    uint32_t rank = 0;
    for (size_t i = 0; i < count; i++) {
        Text text = model->pieces[ranked[i].piece].text;
        rank += i && ranked[i].score < ranked[i - 1].score;
        for (size_t cut = char_bytes(text.data[0]); cut < text.bytes; cut += char_bytes(text.data[cut])) {
            MergeText merge = {{text.data, cut}, {text.data + cut, text.bytes - cut}, rank};
            uint32_t left = vocab_find(&made->vocab, text.data, cut);
            uint32_t right = vocab_find(&made->vocab, text.data + cut, text.bytes - cut);
            if (left != ID_NONE && right != ID_NONE && model->pieces[left].type == PIECE_NORMAL &&
                model->pieces[right].type == PIECE_NORMAL)
                texts[merges++] = merge;
        }
    }
    made->bpe.byte_fallback = model->byte_fallback;
    made->bpe.fuse_unk = true;
    return bpe_build(load, texts, merges, err);
}

// <unk> <s> </s> at the beginning become <s> <pad> </s> <unk>.
static Status fairseq_order(Load *load, SpModel *model, Error *err) {
    static const SpPiece first[] = {{{"<s>", 3}, 0, PIECE_CONTROL},
                                    {{"<pad>", 5}, 0, PIECE_CONTROL},
                                    {{"</s>", 4}, 0, PIECE_CONTROL},
                                    {{"<unk>", 5}, 0, PIECE_UNKNOWN}};
    if (model->count < 3 || model->pieces[0].type != PIECE_UNKNOWN)
        return FAIL(err, ERR_FORMAT, "%s: expected a SentencePiece model that begins with <unk> <s> </s>", load->name);
    TRY(piece_add(load, model, first[0], err)); // for its room
    memmove(model->pieces + 4, model->pieces + 3, (model->count - 4) * sizeof *first);
    memcpy(model->pieces, first, sizeof first);
    return OK;
}

Status read_sentencepiece(Load *load, Bytes data, Error *err) {
    SpModel model = {0};
    TRY(message_read(load, data, &model, err));
    if (load->fairseq)
        TRY(fairseq_order(load, &model, err));
    Spelling *entries;
    TRY_NEW(entries = arena_array(load->scratch, model.count, sizeof *entries, err));
    int64_t unk = -1;
    bool cuts_symbols = false;
    for (size_t i = 0; i < model.count; i++) {
        const SpPiece *piece = &model.pieces[i];
        char *text;
        TRY_NEW(text = arena_copy_text(load->scratch, piece->text.data, piece->text.bytes, err));
        entries[i] = (Spelling){text, (uint32_t)piece->text.bytes, (uint32_t)i};
        if (piece->type == PIECE_UNKNOWN)
            unk = (int64_t)i;
        cuts_symbols = cuts_symbols || piece->type == PIECE_USER_DEFINED;
    }
    Model *made = &load->tokenizer->model;
    made->type = model.model_type == 2 ? MODEL_BPE : MODEL_UNIGRAM;
    TRY(vocab_make(load->arena, load->name, entries, model.count, &made->vocab, err));
    if (unk < 0)
        return FAIL(err, ERR_FORMAT, "%s: the SentencePiece model has no unknown-piece", load->name);
    if (made->type == MODEL_BPE)
        made->bpe.unk_token = (Text){made->vocab.by_id[unk].text, made->vocab.by_id[unk].bytes};
    TRY(made->type == MODEL_BPE ? bpe_make(load, &model, err) : unigram_make(load, &model, unk, err));
    TRY(normalizers_make(load, &model, cuts_symbols, err));
    TRY(decoders_make(load, &model, err));
    for (size_t i = 0; i < model.count; i++) {
        AddedToken token = {.content = {entries[i].text, entries[i].bytes}};
        token.special = model.pieces[i].type == PIECE_UNKNOWN || model.pieces[i].type == PIECE_CONTROL;
        token.unseen = token.special;
        if (token.special || model.pieces[i].type == PIECE_USER_DEFINED)
            TRY(added_token_add(load, token, err));
    }
    return read_post_processor(load, NULL, err);
}
