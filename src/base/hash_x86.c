// SPDX-License-Identifier: Apache-2.0
// SHA-256's blocks by the instructions that x86 has for them: two rounds each, the schedule four words at a time.
#include "base/hash.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include "base/hash_rounds.h"

// The state lies in two registers as the instructions want it, words a, b, e, f and c, d, g, h, the first one highest.
__attribute__((target("sha,sse4.1"))) void sha256_blocks_x86(uint32_t state[8], const unsigned char *blocks,
                                                             size_t count) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203); // big-endian words
    __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i_u *)state), 0xB1);
    __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i_u *)(state + 4)), 0x1B);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xF0);
    for (; count; count--, blocks += 64) {
        __m128i w[4], first = abef, second = cdgh;
        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i_u *)(blocks + 16 * i)), swap);
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) { // four rounds; w[i % 4] holds the words of 16 rounds ago
            __m128i *now = &w[i % 4], last = w[(i + 3) % 4];
            if (i >= 4) {
                __m128i sum =
                    _mm_add_epi32(_mm_sha256msg1_epu32(*now, w[(i + 1) % 4]), _mm_alignr_epi8(last, w[(i + 2) % 4], 4));
                *now = _mm_sha256msg2_epu32(sum, last);
            }
            __m128i k = _mm_add_epi32(*now, _mm_loadu_si128((const __m128i_u *)(sha256_rounds + 4 * i)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, k);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(k, 0x0E));
        }
        abef = _mm_add_epi32(abef, first);
        cdgh = _mm_add_epi32(cdgh, second);
    }
    __m128i feba = _mm_shuffle_epi32(abef, 0x1B), dchg = _mm_shuffle_epi32(cdgh, 0xB1);
    _mm_storeu_si128((__m128i_u *)state, _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128((__m128i_u *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

#else

void sha256_blocks_x86(uint32_t state[8], const unsigned char *blocks, size_t count) {
    sha256_blocks_plain(state, blocks, count);
}

#endif
