// SPDX-License-Identifier: Apache-2.0
// ROUGE's tokenizers: one pass over the characters; words are written in lower case into one block of text.
#include "measure/rouge_tokens.h"

#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"
#include "measure/porter.h"

enum {
    KELVIN_SIGN = 0x212A,
    CAPITAL_I_WITH_DOT = 0x130,
    CAPITAL_SIGMA = 0x3A3,
    SMALL_SIGMA_BYTES = 2,
    STEM_MORE_THAN = 3,
};
static const char FINAL_SIGMA[] = "\xCF\x82";

typedef struct Words {
    RougeToken *items;
    size_t count;
    size_t most;
    char *text;   // the words, one after another
    size_t used;  // bytes of it
    size_t start; // where the word being written begins
    bool stem;
    bool sigma_last; // whether the word being written ends in a capital sigma
} Words;

static const char *const names[ROUGE_TOKENIZER_COUNT] = {"default", "unicode", "char"};

const char *rouge_tokenizer_name(RougeTokenizer tokenizer) {
    return (unsigned)tokenizer < ROUGE_TOKENIZER_COUNT ? names[tokenizer] : NULL;
}

RougeTokenizer rouge_tokenizer_find(const char *name) {
    unsigned i = 0;
    while (i < ROUGE_TOKENIZER_COUNT && strcmp(names[i], name) != 0)
        i++;
    return (RougeTokenizer)i;
}

static Status token_add(Words *words, const char *text, size_t bytes, uint32_t line, Error *err) {
    if (words->count == words->most)
        return FAIL(err, ERR_LIMIT, "the text has more than %d tokens, the most that ROUGE takes", ROUGE_TOKENS_MOST);
    words->items[words->count++] = (RougeToken){text, (uint32_t)bytes, line};
    return OK;
}

static bool is_ascii(const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)text[i] >= 0x80)
            return false;
    return true;
}

// Ends the word being written, if there is one.
static Status word_end(Words *words, uint32_t line, Error *err) {
    size_t bytes = words->used - words->start;
    if (!bytes)
        return OK;
    char *text = words->text + words->start;
    if (words->sigma_last && bytes > SMALL_SIGMA_BYTES)
        memcpy(text + bytes - SMALL_SIGMA_BYTES, FINAL_SIGMA, SMALL_SIGMA_BYTES);
    words->sigma_last = false;
    if (words->stem && bytes > STEM_MORE_THAN && is_ascii(text, bytes))
        bytes = porter_stem(text, bytes);
    words->used = words->start += bytes;
    return bytes ? token_add(words, text, bytes, line, err) : OK;
}

// The lower-case ASCII letter or digit that Python's str.lower() makes of `c`, or 0. U+0130 becomes an i and a dot that
// separates, for which *ret_ends is set.
static char ascii_lower(uint32_t c, bool *ret_ends) {
    *ret_ends = c == CAPITAL_I_WITH_DOT;
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
        return (char)c;
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return c == CAPITAL_I_WITH_DOT ? 'i' : c == KELVIN_SIGN ? 'k' : 0;
}

static bool is_letter_or_digit(uint32_t c) {
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return true;
    default:
        return false;
    }
}

// White space as Python's str.isspace() has it: category Zs, or bidirectional class WS, B or S.
static bool is_space(uint32_t c) {
    const utf8proc_property_t *property = utf8proc_get_property((utf8proc_int32_t)c);
    return property->category == UTF8PROC_CATEGORY_ZS || property->bidi_class == UTF8PROC_BIDI_CLASS_WS ||
           property->bidi_class == UTF8PROC_BIDI_CLASS_B || property->bidi_class == UTF8PROC_BIDI_CLASS_S;
}

static Status words_default(Words *words, Bytes text, Error *err) {
    uint32_t line = 0;
    for (size_t i = 0; i < text.size;) {
        uint32_t c;
        i += utf8_decode((const char *)text.data + i, text.size - i, &c);
        bool ends;
        char lower = ascii_lower(c, &ends);
        if (lower)
            words->text[words->used++] = lower;
        if (!lower || ends)
            TRY(word_end(words, line, err));
        line += c == '\n';
    }
    return word_end(words, line, err);
}

static Status words_unicode(Words *words, Bytes text, Error *err) {
    uint32_t line = 0;
    for (size_t i = 0; i < text.size;) {
        uint32_t c;
        i += utf8_decode((const char *)text.data + i, text.size - i, &c);
        if (is_letter_or_digit(c)) {
            uint32_t lower = (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
            words->used += utf8_encode(lower, words->text + words->used);
            words->sigma_last = c == CAPITAL_SIGMA;
        } else {
            TRY(word_end(words, line, err));
        }
        line += c == '\n';
    }
    return word_end(words, line, err);
}

static Status words_char(Words *words, Bytes text, Error *err) {
    uint32_t line = 0;
    for (size_t i = 0; i < text.size;) {
        uint32_t c;
        const char *at = (const char *)text.data + i;
        size_t bytes = utf8_decode(at, text.size - i, &c);
        if (!is_space(c))
            TRY(token_add(words, at, bytes, line, err));
        line += c == '\n';
        i += bytes;
    }
    return OK;
}

Status rouge_tokens_make(Arena *arena, Bytes text, RougeTokenizer tokenizer, bool stem, RougeTokens *ret_tokens,
                         Error *err) {
    static Status (*const split[ROUGE_TOKENIZER_COUNT])(Words *, Bytes, Error *) = {words_default, words_unicode,
                                                                                    words_char};
    if (text.size > ROUGE_TEXT_BYTES_MOST)
        return FAIL(err, ERR_LIMIT, "the text has %zu bytes, ROUGE takes at most %d", text.size, ROUGE_TEXT_BYTES_MOST);
    bool copies = tokenizer != ROUGE_TOKENS_CHAR;
    size_t most = copies ? text.size / 2 + 1 : text.size;
    Words words = {.most = most < ROUGE_TOKENS_MOST ? most : ROUGE_TOKENS_MOST, .stem = stem};
    TRY_NEW(words.items = arena_alloc(arena, words.most * sizeof *words.items, 16, err));
    // Lower case may take three bytes where upper case took two, and no character grows by more.
    TRY_NEW(words.text = arena_alloc(arena, copies ? text.size + text.size / 2 + 1 : 0, 16, err));
    TRY(split[tokenizer](&words, text, err));
    *ret_tokens = (RougeTokens){words.items, words.count};
    return OK;
}
