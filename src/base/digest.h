// SPDX-License-Identifier: Apache-2.0
// Digests of large data at the speed of memory (XXH3, 128 bits, keyed): they tell whether bytes are still what they
// were. Not for secrets or signatures; base/hash.h has SHA-256 for names of contents.
//
// The key is drawn at random where the digests are kept. Two files made on purpose to collide under XXH3 without a key
// do not collide under one that their author does not know.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"

enum { DIGEST_KEY_BYTES = 192, DIGEST_PIECE_BYTES = 2 << 20, DIGEST_TEXT_BYTES = 33 };

typedef struct DigestKey {
    unsigned char bytes[DIGEST_KEY_BYTES];
} DigestKey;

typedef struct Digest {
    unsigned char bytes[16];
} Digest;

// A key from the system's source of randomness. ERR_IO when it gives none.
MUST_CHECK Status digest_key_draw(DigestKey *ret_key, Error *err);

Digest digest_make(const DigestKey *key, const void *data, size_t bytes);
bool digest_equal(const Digest *a, const Digest *b);

// 32 lower-case hexadecimal digits and a NUL.
void digest_text(const Digest *digest, char ret_text[DIGEST_TEXT_BYTES]);

// Pieces of DIGEST_PIECE_BYTES, the last one shorter, digested in parallel into ret_digests [digest_pieces(bytes)].
// `forget`: pages of a file map leave memory again once read.
size_t digest_pieces(size_t bytes);
void digest_make_pieces(const DigestKey *key, Pool *pool, const void *data, size_t bytes, bool forget,
                        Digest *ret_digests);
