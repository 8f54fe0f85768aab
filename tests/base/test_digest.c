// SPDX-License-Identifier: Apache-2.0
// Digests: any change of any byte is seen, another key gives another digest, pieces are the same on any number of
// threads.
#include "base/digest.h"

#include "base/random.h"
#include "check.h"

static Error err;

START_TEST(test_every_byte_counts) {
    enum { BYTES = 3 * DIGEST_PIECE_BYTES / 2 };
    DigestKey key, other;
    CHECK_OK(digest_key_draw(&key, &err));
    CHECK_OK(digest_key_draw(&other, &err));
    unsigned char *data = memory_map(BYTES, &err);
    Digest before[2], after[2];
    Random random = {1};
    for (size_t i = 0; i < BYTES; i++)
        data[i] = (unsigned char)random_below(&random, 256);
    ck_assert_uint_eq(digest_pieces(BYTES), 2);
    digest_make_pieces(&key, NULL, data, BYTES, false, before);
    digest_make_pieces(&other, NULL, data, BYTES, false, after);
    ck_assert(!digest_equal(&before[0], &after[0]) && !digest_equal(&before[1], &after[1]));
    Pool *pool;
    CHECK_OK(pool_new(3, &pool, &err));
    digest_make_pieces(&key, pool, data, BYTES, false, after);
    ck_assert(digest_equal(&before[0], &after[0]) && digest_equal(&before[1], &after[1]));
    for (size_t i = 0; i < 200; i++) {
        size_t at = i < 2 ? i * (BYTES - 1) : random_below(&random, BYTES), piece = at / DIGEST_PIECE_BYTES;
        data[at] ^= (unsigned char)(1 << i % 8);
        digest_make_pieces(&key, pool, data, BYTES, false, after);
        ck_assert(!digest_equal(&before[piece], &after[piece]) && digest_equal(&before[!piece], &after[!piece]));
        data[at] ^= (unsigned char)(1 << i % 8);
    }
    char text[DIGEST_TEXT_BYTES];
    before[0] = (Digest){{0x01, 0xab, 0xff}};
    digest_text(&before[0], text);
    ck_assert_str_eq(text, "01abff00000000000000000000000000");
    pool_free(pool);
    memory_unmap(data, BYTES);
}
END_TEST

TEST_MAIN("digest", test_every_byte_counts)
