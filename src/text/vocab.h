// SPDX-License-Identifier: Apache-2.0
// Vocab: spellings to ids by open addressing, ids to spellings by index.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

#define ID_NONE UINT32_MAX
enum { ID_BOUND_MAX = 1 << 22, SPELLING_MAX_BYTES = 2048 };

typedef struct Spelling {
    const char *text; // NUL-terminated; NULL for an id that has no token
    uint32_t bytes;
    uint32_t id;
} Spelling;

typedef struct VocabSlot {
    uint32_t hash, id; // id ID_NONE: free
} VocabSlot;

typedef struct Vocab {
    Spelling *by_id; // [id_bound]
    uint32_t id_bound;
    uint32_t count; // of different spellings
    VocabSlot *slots;
    uint32_t mask;
} Vocab;

// Copies `count` entries. Where two entries have the same text, the later one is found and both are spelled; two texts
// under one id are ERR_FORMAT; an id of ID_BOUND_MAX or more, or a spelling over SPELLING_MAX_BYTES, ERR_LIMIT.
MUST_CHECK Status vocab_make(Arena *arena, const char *name, const Spelling *entries, size_t count, Vocab *ret,
                             Error *err);

// The id of a text, or ID_NONE.
uint32_t vocab_find(const Vocab *vocab, const char *text, size_t bytes);

// 32 bits of FNV-like multiply-and-fold over eight bytes at a time: good enough for tables of short texts.
uint32_t text_hash(const char *text, size_t bytes);
