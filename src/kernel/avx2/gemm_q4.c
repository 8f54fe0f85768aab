// SPDX-License-Identifier: Apache-2.0
// Products with 4-bit weights: simd/gemm_q4.inc on this set's vectors, by VPMADDUBSW: |w| is its unsigned side, x with
// the sign of w the other. Two products are at most 2 * 128 * 127, so that nothing saturates.
#include "kernel/avx2/v16.inc"

// The end in assembly because GCC 12 adds up products before it adds them to the sums, which costs it more registers
// than there are.
INLINE Reg reg_dot_four(Reg acc, Reg w, Reg x) {
    Reg words = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
    __asm__("vpmaddwd %2, %1, %1\n\tvpaddd %1, %0, %0" : "+x"(acc), "+x"(words) : "x"(_mm256_set1_epi16(1)));
    return acc;
}

#define Q4_OFFSET 0
#define Q4_ROWS 6
#define Q4_NAME "avx2 q4 6x16"
#define Q4_KERNEL SET(gemm_q4)
#include "kernel/simd/gemm_q4.inc"
