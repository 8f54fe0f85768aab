// SPDX-License-Identifier: Apache-2.0
// What one thread needs beside the tokenizer: buffers that are reused from call to call, and a cache of short pieces.
// The functions below are the stages of encoding and decoding, one file each.
#pragma once

#include "text/parts.h"

enum {
    CACHE_KEY_BYTES = 26,
    CACHE_IDS = 8,
    CACHE_SLOTS = 1 << 14,
    TEXT_MAX_BYTES = 256 << 20,
    WORK_MAX_BYTES = 1 << 30
};

// A direct-mapped cell of 64 bytes: a piece of text and the ids that the model gave it.
typedef struct CacheSlot {
    uint32_t hash;
    uint8_t bytes, count; // bytes 0: empty
    char key[CACHE_KEY_BYTES];
    uint32_t ids[CACHE_IDS];
} CacheSlot;

// A stretch of the text being encoded, or an added token found in it.
typedef struct Piece {
    uint32_t start, bytes;
    uint32_t origin; // so many first bytes stem from the very beginning of the input (Metaspace "first" asks)
    uint32_t token;  // ID_NONE: text
} Piece;

// A text under rewriting: it is read from `text`, written to `out`, and flow_turn makes the written text the one to
// read.
typedef struct Flow {
    const char *text;
    size_t bytes;
    size_t origin; // as in Piece
    Buffer *out, *spare;
} Flow;

struct Encoder {
    const Tokenizer *tokenizer;
    Matcher *matcher;
    CacheSlot *cache;          // [CACHE_SLOTS]
    Buffer flows[2], work;     // normalizers
    Buffer texts[2];           // what pieces lie in
    Buffer pieces[2];          // Piece
    Buffer sequences[2];       // uint32_t ids of a text and its pair
    Buffer result;             // int32_t
    Buffer symbols, heap;      // BPE
    Buffer nodes;              // Unigram
    Buffer tokens[2], ends[2]; // decoding: token texts, and where each ends (size_t)
};

#define BUFFER_ITEMS(Type, buffer) ((Type *)(void *)(buffer)->data)
#define BUFFER_COUNT(Type, buffer) ((buffer)->bytes / sizeof(Type))

void flow_turn(Flow *flow);

// Runs all normalizers over flow->text.
MUST_CHECK Status normalizers_run(const Normalizer *normalizers, size_t count, Matcher *matcher, Buffer *work,
                                  Flow *flow, Error *err);

// Precompiled (text/charsmap.c).
void charsmap_run(const Normalizer *normalizer, Flow *flow);

// Fills in what charsmap_run derives from the trie.
void charsmap_prepare(Normalizer *normalizer);

// Splits the pieces (encoder->pieces[0], in *text) by every pre-tokenizer in turn.
MUST_CHECK Status pre_tokenizers_run(Encoder *encoder, const char **text, Error *err);

// The next piece of GPT-2's pattern that begins at `at` < bytes: where it ends.
size_t gpt2_piece_end(const char *text, size_t bytes, size_t at);

// An added token found in a text.
typedef struct AddedMatch {
    size_t start, end; // with the blanks it swallows
    const AddedToken *token;
} AddedMatch;

// Walks over the matches: `*at` is where to search next, `*covered` where the last match ended (both start as 0).
bool added_next(const Tokenizer *tokenizer, const AddedSet *set, const char *text, size_t bytes, size_t *at,
                size_t *covered, AddedMatch *ret);

// Appends the ids of one piece (bytes > 0) to `ids`.
MUST_CHECK Status bpe_encode(Encoder *encoder, const Model *model, const char *text, size_t bytes, Buffer *ids,
                             Error *err);
MUST_CHECK Status unigram_encode(Encoder *encoder, const Model *model, const char *text, size_t bytes, Buffer *ids,
                                 Error *err);
MUST_CHECK Status word_piece_encode(const Model *model, const char *text, size_t bytes, Buffer *ids, Error *err);
MUST_CHECK Status word_level_encode(const Model *model, const char *text, size_t bytes, Buffer *ids, Error *err);

// Runs all decoders over encoder->tokens[0], ends[0].
MUST_CHECK Status decoders_run(Encoder *encoder, Error *err);

// English clean-up as transformers and the WordPiece decoder do it; the latter also turns " do not" into " don't".
void text_clean_up(Buffer *text, size_t from, bool do_not);
