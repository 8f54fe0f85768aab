// SPDX-License-Identifier: Apache-2.0
// Byte-pair encoding: the pair with the lowest rank, of equal ones the leftmost, is merged until no pair is left
// (Sennrich et al., 2016). Short pieces scan an array for it; long ones keep pairs in a heap, so a megabyte takes n log
// n.
#include <string.h>

#include "text/encoder.h"

enum { SHORT_SYMBOLS = 40 };
#define RANK_NONE UINT32_MAX

static const PairSlot *pair_find(const Bpe *bpe, uint32_t left, uint32_t right) {
    uint64_t pair = (uint64_t)left << 32 | right;
    uint64_t hash = pair * 0x9E3779B97F4A7C15u;
    for (uint32_t i = (uint32_t)(hash >> 32) & bpe->mask;; i = (i + 1) & bpe->mask)
        if (bpe->slots[i].pair == pair || bpe->slots[i].pair == UINT64_MAX)
            return &bpe->slots[i];
}

// The id of the character with the prefix (not the first) and the suffix (the last) that this vocabulary may want.
static uint32_t character_find(Encoder *encoder, const Model *model, const char *text, size_t bytes, bool first,
                               bool last) {
    const Bpe *bpe = &model->bpe;
    if (bytes == 1 && bpe->ascii_ids[(unsigned char)text[0] & 127] != ID_NONE && !bpe->prefix.bytes &&
        !bpe->suffix.bytes)
        return bpe->ascii_ids[(unsigned char)text[0] & 127];
    if ((first || !bpe->prefix.bytes) && (!last || !bpe->suffix.bytes))
        return vocab_find(&model->vocab, text, bytes);
    Buffer *work = &encoder->work;
    buffer_clear(work);
    if (!first)
        buffer_add(work, bpe->prefix.data, bpe->prefix.bytes);
    buffer_add(work, text, bytes);
    if (last)
        buffer_add(work, bpe->suffix.data, bpe->suffix.bytes);
    return work->failed == OK ? vocab_find(&model->vocab, work->data, work->bytes) : ID_NONE;
}

// The <0x..> tokens of an unknown character, spelled with prefix and suffix as it was looked up; false: not all are
// there.
static bool bytes_fall_back(const Bpe *bpe, const char *text, size_t bytes, bool first, bool last, Buffer *symbols) {
    const Text parts[3] = {first ? (Text){"", 0} : bpe->prefix, {text, bytes}, last ? bpe->suffix : (Text){"", 0}};
    for (size_t part = 0; part < 3; part++)
        for (size_t i = 0; i < parts[part].bytes; i++)
            if (bpe->byte_ids[(unsigned char)parts[part].data[i]] == ID_NONE)
                return false;
    for (size_t part = 0; part < 3; part++)
        for (size_t i = 0; i < parts[part].bytes; i++)
            buffer_add(symbols, &bpe->byte_ids[(unsigned char)parts[part].data[i]], sizeof(uint32_t));
    return true;
}

// One symbol per character (raw: per byte). An unknown one is held back, to be fused with the next, until a known one
// follows; bytes that fall back do not flush it (so does the package).
static Status symbols_begin(Encoder *encoder, const Model *model, const char *text, size_t bytes, Buffer *symbols,
                            Error *err) {
    const Bpe *bpe = &model->bpe;
    bool unknown_held = false;
    for (size_t at = 0; at < bytes;) {
        size_t length = bpe->raw ? 1 : char_bytes(text[at]);
        bool first = at == 0, last = at + length == bytes;
        uint32_t id = bpe->raw ? bpe->byte_ids[(unsigned char)text[at]]
                               : character_find(encoder, model, text + at, length, first, last);
        if (id != ID_NONE) {
            if (unknown_held)
                buffer_add(symbols, &bpe->unk, sizeof bpe->unk);
            unknown_held = false;
            buffer_add(symbols, &id, sizeof id);
        } else if (!bpe->byte_fallback || !bytes_fall_back(bpe, text + at, length, first, last, symbols)) {
            if (bpe->unk_token.data && bpe->unk == ID_NONE)
                return FAIL(err, ERR_FORMAT, "the text needs the unknown-token '%s', which the vocabulary lacks",
                            bpe->unk_token.data);
            if (unknown_held && !bpe->fuse_unk)
                buffer_add(symbols, &bpe->unk, sizeof bpe->unk);
            unknown_held = bpe->unk != ID_NONE;
        }
        at += length;
    }
    if (unknown_held)
        buffer_add(symbols, &bpe->unk, sizeof bpe->unk);
    return buffer_status(symbols, err);
}

static size_t merge_short(const Bpe *bpe, uint32_t *ids, size_t count) {
    uint32_t ranks[SHORT_SYMBOLS], merged[SHORT_SYMBOLS];
    for (size_t i = 0; i + 1 < count; i++) {
        const PairSlot *slot = pair_find(bpe, ids[i], ids[i + 1]);
        ranks[i] = slot->rank;
        merged[i] = slot->id;
    }
    while (count > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < count; i++)
            if (ranks[i] < ranks[best])
                best = i;
        if (ranks[best] == RANK_NONE)
            break;
        ids[best] = merged[best];
        count--;
        size_t behind = count - best - 1;
        memmove(ids + best + 1, ids + best + 2, behind * sizeof *ids);
        memmove(ranks + best, ranks + best + 1, behind * sizeof *ranks);
        memmove(merged + best, merged + best + 1, behind * sizeof *merged);
        for (size_t i = best ? best - 1 : 0; i <= best && i + 1 < count; i++) {
            const PairSlot *slot = pair_find(bpe, ids[i], ids[i + 1]);
            ranks[i] = slot->rank;
            merged[i] = slot->id;
        }
    }
    return count;
}

typedef struct Symbol {
    uint32_t id, previous, next; // next SYMBOL_GONE: merged away
    uint32_t rank;               // of the pair with the next one
} Symbol;

#define SYMBOL_END UINT32_MAX
#define SYMBOL_GONE (UINT32_MAX - 1)

// A binary heap of rank << 32 | position, least first.
static void heap_push(Buffer *heap, uint64_t key) {
    buffer_add(heap, &key, sizeof key);
    uint64_t *keys = BUFFER_ITEMS(uint64_t, heap);
    size_t i = heap->failed == OK ? BUFFER_COUNT(uint64_t, heap) - 1 : 0;
    for (; i > 0 && keys[(i - 1) / 2] > key; i = (i - 1) / 2)
        keys[i] = keys[(i - 1) / 2];
    if (keys)
        keys[i] = key;
}

static uint64_t heap_pop(Buffer *heap) {
    uint64_t *keys = BUFFER_ITEMS(uint64_t, heap);
    size_t count = BUFFER_COUNT(uint64_t, heap) - 1;
    uint64_t least = keys[0], last = keys[count];
    heap->bytes -= sizeof last;
    size_t i = 0;
    for (size_t child = 1; child < count; child = 2 * i + 1) {
        if (child + 1 < count && keys[child + 1] < keys[child])
            child++;
        if (keys[child] >= last)
            break;
        keys[i] = keys[child];
        i = child;
    }
    keys[i] = last;
    return least;
}

static void pair_push(const Bpe *bpe, Symbol *symbols, uint32_t at, Buffer *heap) {
    const PairSlot *slot =
        symbols[at].next == SYMBOL_END ? NULL : pair_find(bpe, symbols[at].id, symbols[symbols[at].next].id);
    symbols[at].rank = slot ? slot->rank : RANK_NONE;
    if (symbols[at].rank != RANK_NONE)
        heap_push(heap, (uint64_t)slot->rank << 32 | at);
}

static Status merge_long(const Bpe *bpe, Buffer *heap, Buffer *nodes, uint32_t *ids, size_t *count, Error *err) {
    buffer_clear(heap);
    buffer_clear(nodes);
    if (!buffer_extend(nodes, *count * sizeof(Symbol)))
        return buffer_status(nodes, err);
    Symbol *symbols = BUFFER_ITEMS(Symbol, nodes);
    uint32_t last = (uint32_t)*count - 1;
    for (uint32_t i = 0; i <= last; i++)
        symbols[i] = (Symbol){ids[i], i ? i - 1 : SYMBOL_END, i < last ? i + 1 : SYMBOL_END, RANK_NONE};
    for (uint32_t i = 0; i < last; i++)
        pair_push(bpe, symbols, i, heap);
    while (heap->bytes && heap->failed == OK) {
        uint64_t key = heap_pop(heap);
        Symbol *left = &symbols[(uint32_t)key];
        if (left->next == SYMBOL_GONE || left->rank != key >> 32 || left->next == SYMBOL_END)
            continue; // the pair has changed since
        Symbol *right = &symbols[left->next];
        left->id = pair_find(bpe, left->id, right->id)->id;
        left->next = right->next;
        right->next = SYMBOL_GONE;
        if (left->next != SYMBOL_END)
            symbols[left->next].previous = (uint32_t)key;
        if (left->previous != SYMBOL_END)
            pair_push(bpe, symbols, left->previous, heap);
        pair_push(bpe, symbols, (uint32_t)key, heap);
    }
    size_t kept = 0;
    for (uint32_t i = 0; i <= last; i++)
        if (symbols[i].next != SYMBOL_GONE)
            ids[kept++] = symbols[i].id;
    *count = kept;
    return buffer_status(heap, err);
}

Status bpe_encode(Encoder *encoder, const Model *model, const char *text, size_t bytes, Buffer *ids, Error *err) {
    const Bpe *bpe = &model->bpe;
    if (bpe->ignore_merges) {
        uint32_t id = vocab_find(bpe->raw ? &bpe->raw_vocab : &model->vocab, text, bytes);
        if (id != ID_NONE) {
            buffer_add(ids, &id, sizeof id);
            return buffer_status(ids, err);
        }
    }
    Buffer *symbols = &encoder->symbols;
    buffer_clear(symbols);
    TRY(symbols_begin(encoder, model, text, bytes, symbols, err));
    uint32_t *items = BUFFER_ITEMS(uint32_t, symbols);
    size_t count = BUFFER_COUNT(uint32_t, symbols);
    if (count <= SHORT_SYMBOLS)
        count = merge_short(bpe, items, count);
    else
        TRY(merge_long(bpe, &encoder->heap, &encoder->nodes, items, &count, err));
    buffer_add(ids, items, count * sizeof *items);
    return buffer_status(ids, err);
}
