// SPDX-License-Identifier: Apache-2.0
// From a text to the tokens that ROUGE counts. Scores of different tokenizers do not compare.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/status.h"

typedef enum RougeTokenizer {
    // rouge_score's: lower case, runs of a-z and 0-9. Everything else separates, so Korean text has no tokens at all.
    ROUGE_TOKENS_DEFAULT,
    // Runs of letters and digits (general categories L and N) of any script, in lower case. Case is mapped one
    // character to one (a capital sigma at the end of a run becomes a final sigma).
    ROUGE_TOKENS_UNICODE,
    // Every character but white space, as it is.
    ROUGE_TOKENS_CHAR,
    ROUGE_TOKENIZER_COUNT
} RougeTokenizer;

// A larger text is refused with ERR_LIMIT.
enum { ROUGE_TEXT_BYTES_MOST = 8 << 20, ROUGE_TOKENS_MOST = 1 << 19 };

typedef struct RougeToken {
    const char *text; // not terminated
    uint32_t bytes;   // at least 1
    uint32_t line;    // newlines before it
} RougeToken;

typedef struct RougeTokens {
    RougeToken *items;
    size_t count;
} RougeTokens;

// "default", "unicode", "char"; NULL for an unknown value and ROUGE_TOKENIZER_COUNT for an unknown name.
const char *rouge_tokenizer_name(RougeTokenizer tokenizer);
RougeTokenizer rouge_tokenizer_find(const char *name);

// Splits `text`; bytes that are no UTF-8 count as U+FFFD. With `stem`, tokens of more than three characters that are
// all ASCII letters and digits are stemmed (measure/porter.h). Tokens live in the arena and may point into `text`.
MUST_CHECK Status rouge_tokens_make(Arena *arena, Bytes text, RougeTokenizer tokenizer, bool stem,
                                    RougeTokens *ret_tokens, Error *err);
