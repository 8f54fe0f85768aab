// SPDX-License-Identifier: Apache-2.0
// Keyed digests: XXH3 with a secret, by pieces on all threads.
#include "base/digest.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#include "base/fault.h"
#include "base/file.h"

_Static_assert((int)DIGEST_KEY_BYTES >= (int)XXH3_SECRET_SIZE_MIN, "XXH3 takes secrets of this size");

Status digest_key_draw(DigestKey *ret_key, Error *err) {
    DigestKey key;
    errno = 0;
    if (fault_strikes(FAULT_READ) || getrandom(key.bytes, sizeof key.bytes, 0) != sizeof key.bytes)
        return FAIL(err, ERR_IO, "the system gives no random bytes: %s", strerror(errno ? errno : EIO));
    *ret_key = key;
    return OK;
}

Digest digest_make(const DigestKey *key, const void *data, size_t bytes) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_withSecret(data, bytes, key->bytes, sizeof key->bytes));
    Digest digest;
    memcpy(digest.bytes, canonical.digest, sizeof digest.bytes);
    return digest;
}

bool digest_equal(const Digest *a, const Digest *b) {
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void digest_text(const Digest *digest, char ret_text[DIGEST_TEXT_BYTES]) {
    for (size_t i = 0; i < sizeof digest->bytes; i++)
        snprintf(ret_text + 2 * i, 3, "%02x", digest->bytes[i]);
}

size_t digest_pieces(size_t bytes) {
    return (bytes + DIGEST_PIECE_BYTES - 1) / DIGEST_PIECE_BYTES;
}

typedef struct PieceJob {
    const DigestKey *key;
    const unsigned char *data;
    size_t bytes;
    bool forget;
    Digest *digests;
} PieceJob;

static void piece_tile(void *context, size_t index) {
    const PieceJob *job = context;
    size_t first = index * DIGEST_PIECE_BYTES, left = job->bytes - first;
    size_t bytes = left < DIGEST_PIECE_BYTES ? left : DIGEST_PIECE_BYTES;
    job->digests[index] = digest_make(job->key, job->data + first, bytes);
    if (job->forget)
        file_forget(job->data + first, bytes);
}

void digest_make_pieces(const DigestKey *key, Pool *pool, const void *data, size_t bytes, bool forget,
                        Digest *ret_digests) {
    PieceJob job = {key, data, bytes, forget, ret_digests};
    pool_run(pool, digest_pieces(bytes), piece_tile, &job);
}
