// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "base/file.h"
#include "base/memory.h"
#include "measure/golden.h"
#include "measure/porter.h"

START_TEST(every_golden_word) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    Bytes file = golden_map(&arena, "stems.txt");
    size_t words = 0;
    for (const char *at = (const char *)file.data, *end = at + file.size; at < end; words++) {
        size_t line_bytes = (size_t)((const char *)memchr(at, '\n', (size_t)(end - at)) - at);
        size_t word_bytes = (size_t)((const char *)memchr(at, ' ', line_bytes) - at);
        const char *stem = at + word_bytes + 1;
        size_t stem_bytes = line_bytes - word_bytes - 1;
        char *word = arena_copy_text(&arena, at, word_bytes, &err);
        ck_assert_ptr_nonnull(word);
        size_t bytes = porter_stem(word, word_bytes);
        ck_assert_msg(bytes == stem_bytes && memcmp(word, stem, bytes) == 0, "'%.*s' gives '%.*s', expected '%.*s'",
                      (int)word_bytes, at, (int)bytes, word, (int)stem_bytes, stem);
        at += line_bytes + 1;
    }
    ck_assert_uint_gt(words, 5000);
    arena_done(&arena);
}
END_TEST

START_TEST(long_words_take_linear_time) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    enum { BYTES = 4 << 20 };
    char *word = arena_alloc(&arena, BYTES, 1, &err);
    ck_assert_ptr_nonnull(word);
    static const char *const endings[] = {"y", "ational", "ying", "yyy", "sses", "ll"};
    for (size_t i = 0; i < ARRAY_COUNT(endings); i++) {
        memset(word, i % 2 ? 'y' : 'a', BYTES);
        size_t n = strlen(endings[i]);
        memcpy(word + BYTES - n, endings[i], n);
        size_t bytes = porter_stem(word, BYTES);
        ck_assert_uint_le(bytes, BYTES);
        ck_assert_uint_ge(bytes, BYTES - 8);
    }
    arena_done(&arena);
}
END_TEST

TEST_MAIN("measure/porter", every_golden_word, long_words_take_linear_time)
