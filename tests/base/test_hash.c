// SPDX-License-Identifier: Apache-2.0
// The examples of FIPS 180-2, appendix B, and every way of cutting an input.
#include "base/hash.h"

#include "base/cpu.h"
#include "base/random.h"
#include "check.h"

static void expect(const void *data, size_t bytes, const char *digest) {
    Sha256 hash;
    char text[SHA256_TEXT_BYTES];
    sha256_init(&hash);
    sha256_add(&hash, data, bytes);
    sha256_text(&hash, text);
    ck_assert_str_eq(text, digest);
}

START_TEST(published_vectors) {
    expect("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
           "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    static char million[1000000];
    memset(million, 'a', sizeof million);
    expect(million, sizeof million, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
END_TEST

START_TEST(pieces_do_not_matter) {
    unsigned char data[300];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 131);
    for (size_t bytes = 0; bytes <= sizeof data; bytes += 13)
        for (size_t cut = 0; cut <= bytes; cut++) {
            char whole[SHA256_TEXT_BYTES], pieces[SHA256_TEXT_BYTES];
            Sha256 hash;
            sha256_init(&hash);
            sha256_add(&hash, data, bytes);
            sha256_text(&hash, whole);
            sha256_init(&hash);
            sha256_add(&hash, data, cut);
            sha256_add(&hash, data + cut, bytes - cut);
            sha256_text(&hash, pieces);
            ck_assert_str_eq(whole, pieces);
        }
}
END_TEST

// The processor's instructions against the plain code: states and blocks of all kinds.
START_TEST(instructions_agree) {
    if (!cpu_has_sha())
        CHECK_SKIP("this processor has no instructions for SHA-256");
    unsigned char blocks[64 * 9 + 1];
    Random random = {8};
    for (int round = 0; round < 500; round++) {
        uint32_t plain[8], fast[8];
        for (size_t i = 0; i < sizeof blocks; i++)
            blocks[i] = round == 0 ? 0 : round == 1 ? 0xFF : (unsigned char)(random_next(&random) >> 56);
        for (int i = 0; i < 8; i++)
            plain[i] = fast[i] = (uint32_t)(random_next(&random) >> 32);
        sha256_blocks_plain(plain, blocks + round % 2, (size_t)round % 10);
        sha256_blocks_x86(fast, blocks + round % 2, (size_t)round % 10);
        ck_assert_mem_eq(plain, fast, sizeof plain);
    }
}
END_TEST

TEST_MAIN("hash", published_vectors, pieces_do_not_matter, instructions_agree)
