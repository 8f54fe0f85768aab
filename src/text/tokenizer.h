// SPDX-License-Identifier: Apache-2.0
// Tokenizer: text to token ids and back, as Hugging Face's `tokenizers` and SentencePiece do it.
//
//     const Tokenizer *tokenizer;
//     TRY(tokenizer_open(arena, "models/bart", &tokenizer, err));
//     Encoder *encoder;                                   // one per thread: buffers and a cache that keep growing
//     TRY(encoder_new(tokenizer, &encoder, err));
//     Encoding encoding;
//     TRY(encoder_encode(encoder, text, bytes, NULL, 0, (EncodeOptions){.add_special = true}, &encoding, err));
//     ... encoding.ids[0 .. encoding.count) ...           // valid until the encoder's next call
//     encoder_free(encoder);
//
// A Tokenizer never changes after it was opened and may be shared by any number of threads; it lives in the arena it
// was opened in. All texts are UTF-8 and may hold U+0000.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/status.h"

typedef struct Tokenizer Tokenizer;
typedef struct Encoder Encoder;

enum { TOKEN_NONE = -1 };

// Opens a model folder or one SentencePiece file. In a folder, the first of these that is there decides:
// tokenizer.json; vocab.json with merges.txt; vocab.txt; sentencepiece.bpe.model, spiece.model, tokenizer.model, the
// only *.model. tokenizer_config.json, special_tokens_map.json, added_tokens.json and config.json beside them say what
// the vocabulary itself does not (class, special tokens, casing, prefix space, languages, clean-up). ERR_IO: nothing to
// read; ERR_FORMAT names file and key; ERR_UNSUPPORTED names the component or class; ERR_LIMIT: more than 4 Mi ids or
// 1,024 components, a token past 2 KiB, a file past 1 GiB.
MUST_CHECK Status tokenizer_open(Arena *arena, const char *path, const Tokenizer **ret, Error *err);

// The same from memory: the text of a tokenizer.json, or a SentencePiece model. `name` begins every message.
MUST_CHECK Status tokenizer_parse_json(Arena *arena, const char *name, Bytes text, const Tokenizer **ret, Error *err);
MUST_CHECK Status tokenizer_parse_sentencepiece(Arena *arena, const char *name, Bytes data, const Tokenizer **ret,
                                                Error *err);

// One more than the largest id: the least number of rows an embedding must have. Ids without a token may lie below it.
size_t tokenizer_id_bound(const Tokenizer *tokenizer);

// Tokens, added ones included.
size_t tokenizer_token_count(const Tokenizer *tokenizer);

// How the vocabulary spells an id, *ret_bytes long (and NUL-terminated); NULL for an id that has no token.
const char *tokenizer_token(const Tokenizer *tokenizer, int64_t id, size_t *ret_bytes);

// The id of a spelling, TOKEN_NONE if there is none.
int64_t tokenizer_find(const Tokenizer *tokenizer, const char *token, size_t bytes);

// Whether decoding may leave this id out.
bool tokenizer_is_special(const Tokenizer *tokenizer, int64_t id);

// Ids that tokenizer_config.json or special_tokens_map.json name: "bos_token", "eos_token", "unk_token", "sep_token",
// "pad_token", "cls_token", "mask_token". TOKEN_NONE if none is named or it is not in the vocabulary.
int64_t tokenizer_special_id(const Tokenizer *tokenizer, const char *role);

// Whether tokenizer_config.json asks for clean_up_tokenization_spaces.
bool tokenizer_cleans_up(const Tokenizer *tokenizer);

typedef enum TruncationSide { TRUNCATE_RIGHT, TRUNCATE_LEFT } TruncationSide;
typedef enum TruncationStrategy {
    TRUNCATE_LONGEST_FIRST,
    TRUNCATE_ONLY_FIRST,
    TRUNCATE_ONLY_SECOND
} TruncationStrategy;

// At most max_tokens tokens in all, special tokens that will be added included. What is cut off is dropped.
typedef struct Truncation {
    size_t max_tokens;
    TruncationSide side;
    TruncationStrategy strategy;
} Truncation;

// The truncation block of tokenizer.json; NULL without one.
const Truncation *tokenizer_truncation(const Tokenizer *tokenizer);

// An encoder's buffers grow to what its longest text needed and stay; after that, encoding allocates nothing. Free it
// before the tokenizer's arena.
MUST_CHECK Status encoder_new(const Tokenizer *tokenizer, Encoder **ret, Error *err);
void encoder_free(Encoder *encoder);

typedef struct EncodeOptions {
    bool add_special;             // what the post-processor adds (<s> ... </s>)
    const Truncation *truncation; // NULL: none; pass tokenizer_truncation() to do as the file says
} EncodeOptions;

// Owned by the encoder, valid until its next call.
typedef struct Encoding {
    const int32_t *ids;
    size_t count;
} Encoding;

// Encodes a text, or a pair when `pair` is not NULL. ERR_FORMAT: not UTF-8 (names the byte), or a text that needs an
// unknown-token which this vocabulary lacks; ERR_LIMIT: past 256 MiB, or a truncation that leaves no room.
MUST_CHECK Status encoder_encode(Encoder *encoder, const char *text, size_t bytes, const char *pair, size_t pair_bytes,
                                 EncodeOptions options, Encoding *ret, Error *err);

typedef struct DecodeOptions {
    bool skip_special; // leave special tokens out
    bool
        clean_up; // no space before . ? ! , and English contractions; pass tokenizer_cleans_up() to do as the file says
} DecodeOptions;

// Appends the text of `ids`; ids without a token are passed over. Always valid UTF-8.
MUST_CHECK Status encoder_decode(Encoder *encoder, const int32_t *ids, size_t count, DecodeOptions options,
                                 Buffer *ret_text, Error *err);
