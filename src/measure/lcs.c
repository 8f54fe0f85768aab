// SPDX-License-Identifier: Apache-2.0
// Bit-parallel longest common subsequence. Tokens that occur more often in `a` than a column has words keep their match
// vector (fewer than 64 such tokens can exist, so memory stays linear); those of the others are set bit by bit and
// cleared again. So no column costs more than a few passes over its words, whatever the text.
#include "measure/lcs.h"

#include <math.h>
#include <string.h>

enum { WORD_BITS = 64, DENSE_MOST = 64 };
// Up to this many words (1 MiB) every column is kept; beyond, every sqrt(b)-th.
static const size_t TABLE_WORDS = (size_t)1 << 17;

struct LcsSpace {
    const uint32_t *a;
    size_t a_count;
    size_t words;          // of a column of the loaded `a`
    uint32_t *occurrences; // [id_count] in `a`
    uint32_t *last;        // [id_count] 1 + the token's last position in `a`
    uint32_t *before;      // [a_most] 1 + the position where the same token was before
    uint32_t *dense_of;    // [id_count] 1 + the row in `dense`
    uint64_t *dense;       // [DENSE_MOST, words]
    uint64_t *mask;        // [words] zero between columns
    uint64_t *column;      // [words]
    uint64_t *kept;        // [b / stride, words] the columns 0, stride, 2 stride ...
    uint64_t *block;       // [stride, words] the columns after one of those
};

static size_t words_for(size_t count) {
    return (count + WORD_BITS - 1) / WORD_BITS;
}

// How many columns lie between two kept ones.
static size_t stride_for(size_t words, size_t b_count) {
    if (words * b_count <= TABLE_WORDS)
        return b_count;
    return (size_t)sqrt((double)b_count) + 1;
}

uint64_t lcs_steps(size_t a_count, size_t b_count) {
    enum { START_STEPS = 16 };
    return START_STEPS + (uint64_t)words_for(a_count) * b_count;
}

LcsSpace *lcs_make(Arena *arena, size_t a_most, size_t b_most, size_t id_count, bool positions, Error *err) {
    LcsSpace *s = arena_array(arena, 1, sizeof *s, err);
    if (!s)
        return NULL;
    size_t words = words_for(a_most);
    size_t stride = positions ? stride_for(words, b_most) : 0;
    size_t block_words = stride * words;
    // Smaller pairs than the largest may still fill the table that is kept whole.
    if (positions && words * b_most > TABLE_WORDS && block_words < TABLE_WORDS)
        block_words = TABLE_WORDS;
    if (!(s->occurrences = arena_array(arena, id_count, sizeof *s->occurrences, err)) ||
        !(s->last = arena_array(arena, id_count, sizeof *s->last, err)) ||
        !(s->before = arena_array(arena, a_most, sizeof *s->before, err)) ||
        !(s->dense_of = arena_array(arena, id_count, sizeof *s->dense_of, err)) ||
        !(s->dense = arena_array(arena, words * DENSE_MOST, sizeof *s->dense, err)) ||
        !(s->mask = arena_array(arena, words, sizeof *s->mask, err)) ||
        !(s->column = arena_array(arena, words, sizeof *s->column, err)) ||
        !(s->kept =
              arena_array(arena, positions ? (b_most / (stride + !stride) + 1) * words : 0, sizeof *s->kept, err)) ||
        !(s->block = arena_array(arena, block_words, sizeof *s->block, err)))
        return NULL;
    return s;
}

void lcs_load(LcsSpace *s, const uint32_t *a, size_t a_count) {
    for (size_t i = 0; i < s->a_count; i++)
        s->occurrences[s->a[i]] = s->last[s->a[i]] = s->dense_of[s->a[i]] = 0;
    s->a = a;
    s->a_count = a_count;
    s->words = words_for(a_count);
    for (size_t i = 0; i < a_count; i++) {
        s->before[i] = s->last[a[i]];
        s->last[a[i]] = (uint32_t)i + 1;
        s->occurrences[a[i]]++;
    }
    uint32_t dense_count = 0;
    for (size_t i = 0; i < a_count; i++) {
        if (s->occurrences[a[i]] <= s->words)
            continue;
        if (!s->dense_of[a[i]]) {
            memset(s->dense + dense_count * s->words, 0, s->words * sizeof *s->dense);
            s->dense_of[a[i]] = ++dense_count;
        }
        s->dense[(s->dense_of[a[i]] - 1) * s->words + i / WORD_BITS] |= (uint64_t)1 << i % WORD_BITS;
    }
}

// column := (column + (column & match)) | (column & ~match), carrying from word to word.
static void column_advance(uint64_t *column, const uint64_t *match, size_t words) {
    uint64_t carry = 0;
    for (size_t w = 0; w < words; w++) {
        uint64_t sum;
        uint64_t over = __builtin_add_overflow(column[w], column[w] & match[w], &sum);
        over |= __builtin_add_overflow(sum, carry, &sum);
        column[w] = sum | (column[w] & ~match[w]);
        carry = over;
    }
}

// The column after `token` of `b`. A token that `a` lacks changes nothing.
static void column_next(LcsSpace *s, uint64_t *column, uint32_t token) {
    if (s->dense_of[token]) {
        column_advance(column, s->dense + (s->dense_of[token] - 1) * s->words, s->words);
    } else if (s->last[token]) {
        for (uint32_t at = s->last[token]; at; at = s->before[at - 1])
            s->mask[(at - 1) / WORD_BITS] |= (uint64_t)1 << (at - 1) % WORD_BITS;
        column_advance(column, s->mask, s->words);
        for (uint32_t at = s->last[token]; at; at = s->before[at - 1])
            s->mask[(at - 1) / WORD_BITS] = 0;
    }
}

size_t lcs_length(LcsSpace *s, const uint32_t *b, size_t b_count) {
    memset(s->column, 0xFF, s->words * sizeof *s->column);
    for (size_t j = 0; j < b_count; j++)
        column_next(s, s->column, b[j]);
    size_t length = 0; // bits beyond a_count stay 1
    for (size_t w = 0; w < s->words; w++)
        length += (size_t)__builtin_popcountll(~s->column[w]);
    return length;
}

// Computes the `count` columns after kept column `k` into `block`; the last of them becomes kept column k + 1 if asked.
static void block_fill(LcsSpace *s, size_t k, const uint32_t *b, size_t count, bool keep_last) {
    size_t row_bytes = s->words * sizeof *s->column;
    memcpy(s->column, s->kept + k * s->words, row_bytes);
    for (size_t j = 0; j < count; j++) {
        column_next(s, s->column, b[j]);
        memcpy(s->block + j * s->words, s->column, row_bytes);
    }
    if (keep_last)
        memcpy(s->kept + (k + 1) * s->words, s->column, row_bytes);
}

void lcs_mark(LcsSpace *s, const uint32_t *b, size_t b_count, bool *ret_hits) {
    if (!s->a_count || !b_count)
        return;
    size_t stride = stride_for(s->words, b_count);
    size_t last_block = (b_count - 1) / stride;
    memset(s->kept, 0xFF, s->words * sizeof *s->kept);
    for (size_t k = 0; k < last_block; k++)
        block_fill(s, k, b + k * stride, stride, true);
    size_t i = s->a_count;
    size_t j = b_count;
    for (size_t k = last_block + 1; k-- > 0 && i > 0;) {
        size_t start = k * stride;
        // The last forward pass left nothing of this block: it ended one block earlier.
        block_fill(s, k, b + start, j - start, false);
        while (i > 0 && j > start) {
            const uint64_t *column = s->block + (j - 1 - start) * s->words;
            if (s->a[i - 1] == b[j - 1]) {
                ret_hits[--i] = true;
                j--;
            } else if (column[(i - 1) / WORD_BITS] >> (i - 1) % WORD_BITS & 1) {
                i--;
            } else {
                j--;
            }
        }
    }
}
