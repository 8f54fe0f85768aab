// SPDX-License-Identifier: Apache-2.0
// The parts of a tokenizer as the files of this room share them. From text to ids:
//
//   text -> added tokens -> normalizers -> added tokens -> pre-tokenizers -> model -> truncation, post-processor -> ids
//
// Sequences are flattened at load, so every family is a plain array. Parts never change after load; what a call needs
// beside them is in the Encoder (text/encoder.h).
#pragma once

#include "text/chars.h"
#include "text/pattern.h"
#include "text/tokenizer.h"
#include "text/trie.h"
#include "text/vocab.h"

#define NORMALIZER(name, type) NORMALIZER_##name,
typedef enum NormalizerType {
#include "text/components.def"
    NORMALIZER_COUNT
} NormalizerType;
#define PRE_TOKENIZER(name, type) PRE_TOKENIZER_##name,
typedef enum PreTokenizerType {
#include "text/components.def"
    PRE_TOKENIZER_COUNT
} PreTokenizerType;
#define MODEL(name, type) MODEL_##name,
typedef enum ModelType {
#include "text/components.def"
    MODEL_COUNT
} ModelType;
#define POST_PROCESSOR(name, type) POST_PROCESSOR_##name,
typedef enum PostProcessorType {
#include "text/components.def"
    POST_PROCESSOR_COUNT
} PostProcessorType;
#define DECODER(name, type) DECODER_##name,
typedef enum DecoderType {
#include "text/components.def"
    DECODER_COUNT
} DecoderType;

typedef enum PrependScheme { PREPEND_ALWAYS, PREPEND_FIRST, PREPEND_NEVER } PrependScheme;
typedef enum SplitBehavior {
    SPLIT_REMOVED,
    SPLIT_ISOLATED,
    SPLIT_MERGED_WITH_PREVIOUS,
    SPLIT_MERGED_WITH_NEXT,
    SPLIT_CONTIGUOUS
} SplitBehavior;

// A short text of the file, in the tokenizer's arena.
typedef struct Text {
    const char *data;
    size_t bytes;
} Text;

typedef struct Normalizer {
    NormalizerType type;
    bool clean_text, chinese, strip_accents, lowercase; // Bert
    bool left, right;                                   // Strip
    bool longest;                                       // Precompiled as SentencePiece itself reads it
    Text content;                                       // Prepend, Replace
    Pattern pattern;                                    // Replace
    const uint32_t *units;                              // Precompiled: darts-clone trie
    size_t unit_count;
    Text replacements; // Precompiled: NUL-separated
    bool plain[128];   // Precompiled: ASCII that is no key by itself
} Normalizer;

typedef struct PreTokenizer {
    PreTokenizerType type;
    bool add_prefix_space, gpt2_split; // ByteLevel
    bool raw;                          // ByteLevel: the model reads raw bytes, so they are not spelled out
    bool individual;                   // Digits
    bool split, invert;                // Metaspace; Split
    uint32_t character;                // Delimiter, Metaspace
    size_t length;                     // FixedLength
    PrependScheme prepend;
    SplitBehavior behavior;
    Pattern pattern;
} PreTokenizer;

typedef struct Decoder {
    DecoderType type;
    bool cleanup;         // WordPiece, CTC
    bool prefixed;        // Metaspace: the first token's replacement was put there by encoding
    uint32_t character;   // Metaspace, Strip
    size_t start, stop;   // Strip
    Text prefix, content; // WordPiece; BPE suffix, Replace
    Text pad, delimiter;  // CTC
    Pattern pattern;      // Replace
} Decoder;

// One step of what the post-processor lays out: a sequence (0, 1) or a special token's ids.
typedef struct TemplatePiece {
    int sequence; // -1: special
    const int32_t *ids;
    size_t count;
} TemplatePiece;

typedef struct PostTemplate {
    const TemplatePiece *pieces;
    size_t count;
    size_t added; // tokens it adds
} PostTemplate;

typedef struct PostProcessor {
    PostTemplate single, pair;
} PostProcessor;

typedef struct AddedToken {
    Text content, normalized_content;
    uint32_t id;
    bool single_word, lstrip, rstrip, normalized, special;
    bool unseen; // not looked for in text (SentencePiece's control pieces)
} AddedToken;

// The added tokens of one of the two passes, to be found in text.
typedef struct AddedSet {
    Trie trie; // values are positions in `tokens`
    size_t count;
    bool starts[256]; // first bytes
} AddedSet;

typedef struct PairSlot {
    uint64_t pair; // left << 32 | right; UINT64_MAX: free
    uint32_t rank, id;
} PairSlot;

typedef struct Bpe {
    PairSlot *slots;
    uint32_t mask;
    uint32_t unk; // ID_NONE: none named
    Text unk_token, prefix, suffix;
    bool fuse_unk, byte_fallback, ignore_merges;
    bool raw;               // pieces come as raw bytes, tokens are spelled in GPT-2's alphabet
    bool space_apart;       // no merge joins a character to a following U+2581: the text may be cut there
    uint32_t byte_ids[256]; // raw: the token of a byte. byte_fallback: that of <0x00>...
    uint32_t ascii_ids[128];
    Vocab raw_vocab; // ignore_merges with raw
} Bpe;

typedef struct Unigram {
    Trie trie;
    double *scores; // [id_bound]
    double unk_score;
    uint32_t unk;
    bool byte_fallback;
    bool sentencepiece; // read from a .model: scores add up in float, an unknown stretch is never looked up
    uint32_t byte_ids[256];
} Unigram;

typedef struct WordPiece {
    Trie trie;
    uint32_t continuing; // trie node after the prefix; TRIE_NONE when no token continues a word
    uint32_t unk;
    Text unk_token, prefix;
    size_t max_chars;
} WordPiece;

typedef struct Model {
    ModelType type;
    Vocab vocab;
    union {
        Bpe bpe;
        Unigram unigram;
        WordPiece word_piece; // and WordLevel, which uses only unk
    };
} Model;

// The special tokens that configurations name, in the order of Tokenizer.roles.
enum { ROLE_COUNT = 7 };
extern const char *const token_roles[ROLE_COUNT];

struct Tokenizer {
    Normalizer *normalizers;
    size_t normalizer_count;
    PreTokenizer *pre_tokenizers;
    size_t pre_tokenizer_count;
    Decoder *decoders;
    size_t decoder_count;
    Model model;
    PostProcessor post;
    AddedToken *added;
    size_t added_count;
    AddedSet added_raw, added_normalized; // before and after the normalizers
    Spelling *spellings;                  // [id_bound], added tokens included
    bool *special;                        // [id_bound]
    uint32_t id_bound, token_count;
    Vocab added_vocab; // spelling to position in `added`
    Truncation truncation;
    bool truncates, cleans_up;
    int64_t roles[ROLE_COUNT];
};
