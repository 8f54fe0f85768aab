// SPDX-License-Identifier: Apache-2.0
// Chars: what tokenizers want to know of a code point. The answers are those of the Hugging Face package, measured
// (char_tables.inc): its parts follow several Unicode versions, so no library's tables would give the same ids.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

enum {
    CHAR_SPACE = 1,            // White_Space
    CHAR_NUMERIC = 1 << 1,     // N
    CHAR_PUNCTUATION = 1 << 2, // P, and ASCII symbols
    CHAR_WORD = 1 << 3,        // \w
    CHAR_LETTER = 1 << 4,      // \p{L}
    CHAR_NUMBER = 1 << 5,      // \p{N}
    CHAR_BERT_DROPS = 1 << 6,  // what BertNormalizer's clean_text removes
    CHAR_NONSPACING = 1 << 7,  // Mn, as BertNormalizer strips them
    CHAR_COMBINING = 1 << 8,   // M, as StripAccents strips them
    CHAR_LOWERS = 1 << 9,      // lower-casing changes it
    CHAR_FROZEN = 1 << 10,     // newer than the normalization tables: passes every normal form unchanged
    CHAR_NFC_ACTIVE = 1 << 11, // the form may change, move or join it
    CHAR_NFD_ACTIVE = 1 << 12,
    CHAR_NFKC_ACTIVE = 1 << 13,
    CHAR_NFKD_ACTIVE = 1 << 14,
};

// The flags above; 0 beyond U+10FFFF.
unsigned char_flags(uint32_t code_point);

// Decodes the next character of valid UTF-8.
static inline uint32_t char_next(const char *text, size_t *at) {
    const unsigned char *p = (const unsigned char *)text + *at;
    if (p[0] < 0x80) {
        *at += 1;
        return p[0];
    }
    if (p[0] < 0xE0) {
        *at += 2;
        return (uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3F);
    }
    if (p[0] < 0xF0) {
        *at += 3;
        return (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F);
    }
    *at += 4;
    return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3F) << 12 | (uint32_t)(p[2] & 0x3F) << 6 | (p[3] & 0x3F);
}

// Bytes of the character that begins with `first`, in valid UTF-8.
static inline size_t char_bytes(char first) {
    unsigned char c = (unsigned char)first;
    return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

// Where the character that ends before `end` (> 0) begins.
static inline size_t char_before(const char *text, size_t end) {
    do {
        end--;
    } while (((unsigned char)text[end] & 0xC0) == 0x80);
    return end;
}

// One-to-one lower-casing. U+0130, the only character that becomes two, gives 'i': its dot above is the caller's.
uint32_t char_lower(uint32_t code_point);

// The number of a character's script for UnicodeScripts: kana count as Han; 0 (a space) joins any script.
unsigned char_script(uint32_t code_point);

// The CJK blocks that BertNormalizer sets apart.
bool char_is_chinese(uint32_t code_point);

// GPT-2's alphabet, in which every byte is a printable character: byte to code point, and back (-1: not in it).
uint32_t char_of_byte(unsigned char byte);
int char_to_byte(uint32_t code_point);

typedef enum NormalForm { FORM_NFC, FORM_NFD, FORM_NFKC, FORM_NFKD } NormalForm;

// Appends the normal form of `bytes` bytes of valid UTF-8 to `out`. `work` is scratch. Time is linear, whatever the
// number of combining marks in a row.
void chars_normalize(NormalForm form, const char *text, size_t bytes, Buffer *work, Buffer *out);
