// SPDX-License-Identifier: Apache-2.0
// Building a tokenizer: what the three readers (tokenizer.json, older folders, SentencePiece) share. Everything made
// here lives in `arena`, the tokenizer's; JSON values and other scratch live in `scratch`, which is emptied after the
// load.
#pragma once

#include "base/json.h"
#include "text/encoder.h"

enum { COMPONENTS_MAX = 1024, NESTING_MAX = 32, ADDED_MAX = 1 << 20, ADDED_MAX_BYTES = 1024 };

typedef struct Load {
    Arena *arena, *scratch;
    const char *name; // of the file, begins messages
    Tokenizer *tokenizer;
    uint32_t *added_slots; // positions in tokenizer->added by content; ID_NONE: free
    uint32_t added_mask, added_capacity;
    uint32_t next_id; // of the next added token that the vocabulary lacks
    bool fairseq;     // SentencePiece: ids begin with <s> <pad> </s> <unk>, as mBART and XLM-R count
} Load;

// An empty tokenizer in `arena`.
MUST_CHECK Status load_begin(Arena *arena, Arena *scratch, const char *name, Load *ret, Error *err);

// The components of a tokenizer.json (text/read_parts.c, text/read_model.c); `value` may be NULL or null.
MUST_CHECK Status read_normalizers(Load *load, const json_t *value, Error *err);
MUST_CHECK Status read_pre_tokenizers(Load *load, const json_t *value, Error *err);
MUST_CHECK Status read_decoders(Load *load, const json_t *value, Error *err);
MUST_CHECK Status read_post_processor(Load *load, const json_t *value, Error *err);
MUST_CHECK Status read_model(Load *load, const json_t *value, Error *err);
MUST_CHECK Status read_added_tokens(Load *load, const json_t *value, Error *err);
MUST_CHECK Status read_truncation(Load *load, const json_t *value, Error *err);

// A whole tokenizer.json, then load_finish.
MUST_CHECK Status read_tokenizer(Load *load, const json_t *value, Error *err);

// A value that must be there. ERR_FORMAT names file and key.
MUST_CHECK Status need_text(Load *load, const json_t *object, const char *where, const char *key, Text *ret,
                            Error *err);
MUST_CHECK Status need_character(Load *load, const json_t *object, const char *where, const char *key, uint32_t *ret,
                                 Error *err);
MUST_CHECK Status need_bool(Load *load, const json_t *object, const char *where, const char *key, bool *ret,
                            Error *err);

// Models from their vocabularies. `merges` are pairs of texts in order of rank.
typedef struct MergeText {
    Text left, right;
    uint32_t rank;
} MergeText;

// ["a", "b"] or "a b", as tokenizer.json and merges.txt have them; lines of "#version" are none. ERR_FORMAT.
MUST_CHECK Status merge_read(const char *name, const json_t *value, size_t rank, MergeText *ret, Error *err);
MUST_CHECK Status merge_split(const char *name, const char *text, size_t bytes, size_t rank, MergeText *ret,
                              Error *err);
bool merge_is_comment(const char *line, size_t bytes);

// What a merge joins, and into what; ID_NONE for what the vocabulary lacks. `joined` is scratch.
typedef struct MergeIds {
    uint32_t left, right, result;
} MergeIds;
MUST_CHECK Status merge_find(const Model *model, const MergeText *merge, Buffer *joined, MergeIds *ret, Error *err);

MUST_CHECK Status bpe_build(Load *load, const MergeText *merges, size_t count, Error *err);
// `in_trie` says which ids may be found in text (NULL: all); unk -1: none. unk_score is set before.
MUST_CHECK Status unigram_build(Load *load, double *scores, const bool *in_trie, int64_t unk, Error *err);
MUST_CHECK Status word_piece_build(Load *load, Text prefix, Error *err);

// Adds one token, special or not. The id is that of the vocabulary, or of an equal token added before, or the next free
// one; so says the package, whatever a file claims. The content is copied.
MUST_CHECK Status added_token_add(Load *load, AddedToken token, Error *err);

// Appends a component of a family; the array grows in the arena.
Normalizer *normalizer_add(Load *load, NormalizerType type, Error *err);
PreTokenizer *pre_tokenizer_add(Load *load, PreTokenizerType type, Error *err);
Decoder *decoder_add(Load *load, DecoderType type, Error *err);

// The table of a Precompiled normalizer, in SentencePiece's binary form. ERR_FORMAT.
MUST_CHECK Status charsmap_read(Load *load, const unsigned char *data, size_t bytes, Normalizer *normalizer,
                                Error *err);

// "[A] with `before` and `behind`": e.g. {cls} A {sep}; pairs as `middle` says. -1: nothing there.
typedef struct Around {
    int64_t before, behind; // of a single text
    int64_t middle[2];      // between two texts
    int64_t pair_behind;    // behind the second
} Around;
MUST_CHECK Status post_around(Load *load, Around around, Error *err);

// Derives what encoding and decoding look up: tables by id, tries of added tokens, the byte-level short cut.
MUST_CHECK Status load_finish(Load *load, Error *err);

// The readers of folders and SentencePiece files.
MUST_CHECK Status read_sentencepiece(Load *load, Bytes data, Error *err);
MUST_CHECK Status read_folder(Load *load, const char *folder, Error *err);
