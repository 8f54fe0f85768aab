// SPDX-License-Identifier: Apache-2.0
// The two directions of a vocabulary. Tables are at most half full, so a probe ends soon.
#include "text/vocab.h"

#include <string.h>

uint32_t text_hash(const char *text, size_t bytes) {
    const uint64_t prime = 0x9E3779B97F4A7C15u;
    uint64_t hash = bytes * prime;
    for (; bytes >= 8; text += 8, bytes -= 8) {
        uint64_t word;
        memcpy(&word, text, 8);
        hash = (hash ^ word) * prime;
        hash ^= hash >> 29;
    }
    if (bytes) {
        uint64_t word = 0;
        memcpy(&word, text, bytes);
        hash = (hash ^ word) * prime;
    }
    hash ^= hash >> 32;
    return (uint32_t)(hash * prime >> 32);
}

static VocabSlot *slot_of(const Vocab *vocab, const char *text, size_t bytes, uint32_t hash) {
    for (uint32_t i = hash & vocab->mask;; i = (i + 1) & vocab->mask) {
        VocabSlot *slot = &vocab->slots[i];
        if (slot->id == ID_NONE)
            return slot;
        if (slot->hash == hash) {
            const Spelling *spelling = &vocab->by_id[slot->id];
            if (spelling->bytes == bytes && !memcmp(spelling->text, text, bytes))
                return slot;
        }
    }
}

uint32_t vocab_find(const Vocab *vocab, const char *text, size_t bytes) {
    return slot_of(vocab, text, bytes, text_hash(text, bytes))->id;
}

static Status entries_check(const char *name, const Spelling *entries, size_t count, uint32_t *ret_bound, Error *err) {
    uint32_t bound = 0;
    for (size_t i = 0; i < count; i++) {
        if (entries[i].id >= ID_BOUND_MAX)
            return FAIL(err, ERR_LIMIT, "%s: token '%.40s' has id %u, the limit is %d", name, entries[i].text,
                        entries[i].id, ID_BOUND_MAX - 1);
        if (entries[i].bytes > SPELLING_MAX_BYTES)
            return FAIL(err, ERR_LIMIT, "%s: token '%.40s...' is %u bytes long, the limit is %d", name, entries[i].text,
                        entries[i].bytes, SPELLING_MAX_BYTES);
        if (entries[i].id >= bound)
            bound = entries[i].id + 1;
    }
    *ret_bound = bound;
    return OK;
}

Status vocab_make(Arena *arena, const char *name, const Spelling *entries, size_t count, Vocab *ret, Error *err) {
    Vocab vocab = {0};
    TRY(entries_check(name, entries, count, &vocab.id_bound, err));
    uint32_t size = 16;
    while (size < 2 * count)
        size *= 2;
    vocab.mask = size - 1;
    TRY_NEW(vocab.by_id = arena_array(arena, vocab.id_bound, sizeof *vocab.by_id, err));
    TRY_NEW(vocab.slots = arena_array(arena, size, sizeof *vocab.slots, err));
    memset(vocab.slots, 0xFF, size * sizeof *vocab.slots);
    for (size_t i = 0; i < count; i++) {
        Spelling *spelling = &vocab.by_id[entries[i].id];
        if (spelling->text)
            return FAIL(err, ERR_FORMAT, "%s: tokens '%.40s' and '%.40s' have the same id %u", name, spelling->text,
                        entries[i].text, entries[i].id);
        *spelling = entries[i];
        TRY_NEW(spelling->text = arena_copy_text(arena, entries[i].text, entries[i].bytes, err));
        uint32_t hash = text_hash(spelling->text, spelling->bytes);
        VocabSlot *slot = slot_of(&vocab, spelling->text, spelling->bytes, hash);
        vocab.count += slot->id == ID_NONE;
        *slot = (VocabSlot){hash, entries[i].id};
    }
    *ret = vocab;
    return OK;
}
