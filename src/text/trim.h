// SPDX-License-Identifier: Apache-2.0
// Trimming a vocabulary: which ids a smaller tokenizer needs so that every text still encodes, and its files with only
// those ids in them.
//
//     Trim trim;
//     TRY(trim_begin(arena, tokenizer, rows, &trim, err));   // special tokens and the alphabet
//     trim_keep(&trim, id, KEEP_USED, trim.rows);            // and whatever else is wanted
//     int32_t *now;
//     TRY(trim_number(arena, &trim, &now, err));
//     TRY(trim_files(arena, folder, &trim, now, &files, &count, err));
//
// Why texts keep their tokens: a text whose tokens are all kept is cut as before.
//   - BPE: every merge whose result is kept is kept, with what it joins. The merges that made such a text's tokens are
//     therefore all there, in the same order, and no others came up that were not possible before; so at each step the
//     pair with the lowest rank is the same one.
//   - Unigram: the best path is still there, and no other was added. What an unknown character costs hangs on the
//     lowest score, so the token that has it stays.
//   - WordPiece: the longest token that fits is the same. Only a word that was unknown may now be spelled in pieces,
//     where a long token led into a dead end.
// Any other text finds its characters or bytes among the alphabet, so that it still encodes, perhaps in more tokens,
// and decodes to what it decoded to before. (Of Unigram that is proven only for characters that are tokens: one that
// stands in longer tokens only may become unknown where those no longer pay.)
#pragma once

#include "text/tokenizer.h"

typedef enum KeepReason {
    KEEP_NOT,
    KEEP_SPECIAL,  // added tokens, those that post-processors add, the unknown-token
    KEEP_ALPHABET, // single bytes and characters, and tokens with a character that has no token of its own
    KEEP_USED,
    KEEP_MERGES, // made on the way to a kept token
    KEEP_ROUNDING,
    KEEP_REASONS
} KeepReason;

typedef struct TrimPair TrimPair;

typedef struct Trim {
    const Tokenizer *tokenizer;
    size_t rows;            // ids that the model has
    size_t kept;            // so far
    unsigned char *reasons; // [rows] KeepReason
    uint32_t *first;        // [rows + 2] into pairs
    TrimPair *pairs;        // what merges join, by the id of their result
    uint32_t *pending;      // [rows]
} Trim;

// Keeps what every trimmed tokenizer has to keep. `rows` must be the tokenizer's id bound at least: ERR_FORMAT.
// ERR_UNSUPPORTED for WordLevel, which has no alphabet.
MUST_CHECK Status trim_begin(Arena *arena, const Tokenizer *tokenizer, size_t rows, Trim *ret_trim, Error *err);

// Keeps an id below `rows`, and the tokens that its merges need. False, with nothing changed, if more than `most` ids
// would be kept then.
bool trim_keep(Trim *trim, size_t id, KeepReason reason, size_t most);

// New ids [rows], without gaps and in the old order; TOKEN_NONE for what was dropped.
MUST_CHECK Status trim_number(Arena *arena, const Trim *trim, int32_t **ret_now, Error *err);

// A file of a folder with its new text, or one that must not come along because its ids are the old ones.
typedef struct TrimmedFile {
    const char *name;
    Bytes text;
    bool left_out;
} TrimmedFile;

// The tokenizer's files in `folder` (the one it was opened from) rewritten: tokenizer.json, vocab.json, merges.txt,
// vocab.txt, added_tokens.json, tokenizer_config.json; *.model and *.spm are left out. Every byte that names no id or
// dropped token stays. ERR_UNSUPPORTED for a tokenizer that is only a SentencePiece model.
MUST_CHECK Status trim_files(Arena *arena, const char *folder, const Trim *trim, const int32_t *now,
                             TrimmedFile **ret_files, size_t *ret_count, Error *err);

// Whether `trimmed`, opened from such files, has exactly the kept tokens under their new ids. ERR_UNSUPPORTED with the
// first that differs, as where the old ids had gaps that the files cannot say.
MUST_CHECK Status trim_check(const Trim *trim, const int32_t *now, const Tokenizer *trimmed, Error *err);

// Ids in a settings file (valid JSON): the numbers under keys that `is_id` accepts. trim_keep_ids keeps those that are
// rows, as special; trim_set_ids gives the text with new ones, everything else as it was.
typedef bool TrimKey(const char *key, size_t bytes);
void trim_keep_ids(Trim *trim, Bytes text, TrimKey *is_id);
MUST_CHECK Status trim_set_ids(Arena *arena, const Trim *trim, const int32_t *now, Bytes text, TrimKey *is_id,
                               Bytes *ret_text, Error *err);
