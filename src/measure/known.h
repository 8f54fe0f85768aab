// SPDX-License-Identifier: Apache-2.0
// Known: how much of some texts a tokenizer has words for, so that data in a language or script that it was not made
// for is refused before anything is computed from it.
//
//     TRY(known_begin(&known, arena, tokenizer, err));
//     for each text: status = known_count(&known, ids, count, err);
//     status = known_check(&known, "calibration data", "dev.jsonl", err);
//     known_done(&known);
#pragma once

#include "text/tokenizer.h"

typedef struct Known {
    const Tokenizer *tokenizer;
    Encoder *encoder;     // for decoding only
    Buffer text;          // of one token
    unsigned char *kinds; // [ids] what was found of each; 0: not looked at
    size_t ids;
    int64_t unknown;
    size_t tokens, special_tokens, unknown_tokens;
    size_t piece_tokens; // a part of a character each: of the bytes that stand for what has no word
} Known;

MUST_CHECK Status known_begin(Known *known, Arena *arena, const Tokenizer *tokenizer, Error *err);

// Adds the tokens of a text. ERR_MEMORY.
MUST_CHECK Status known_count(Known *known, const int32_t *ids, size_t count, Error *err);

// ERR_FORMAT, in a sentence that begins with `what` and `name`, where nothing was in the texts, where more than a fifth
// of the tokens stand for something unknown, or more than half of them are pieces of characters. Without texts all is
// well.
MUST_CHECK Status known_check(const Known *known, const char *what, const char *name, Error *err);

// After a failed known_begin too.
void known_done(Known *known);
