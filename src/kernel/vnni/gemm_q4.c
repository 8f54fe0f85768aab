// SPDX-License-Identifier: Apache-2.0
// Products with 4-bit weights: simd/gemm_q4.inc on AVX-512's vectors, in fours by VPDPBUSD.
#include "kernel/avx512/v16.inc"

#include "kernel/sets.h"

// In assembly for the reason given in vnni/gemm_s8.c.
INLINE I16 i16_dot_four(I16 acc, I16 weights, I16 x) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(weights), "v"(x));
    return acc;
}

#define Q4_STEP 4
#define Q4_ROWS 8
#define Q4_NAME "vnni q4 8x32"
#define Q4_KERNEL vnni_gemm_q4
#include "kernel/simd/gemm_q4.inc"
