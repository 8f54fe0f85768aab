// SPDX-License-Identifier: Apache-2.0
// Products with 4-bit weights: simd/gemm_q4.inc on AVX-512's vectors, in fours by VPDPBUSD.
#include "kernel/avx512/v16.inc"

#include "kernel/sets.h"

// acc + four u8 * s8 products in each lane. In assembly for the reason given in vnni/gemm_s8.c.
INLINE Reg reg_dot_four(Reg acc, Reg weights, Reg x) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(weights), "v"(x));
    return acc;
}

#define Q4_OFFSET 128
#define Q4_ROWS 8
#define Q4_NAME "vnni q4 8x32"
#define Q4_KERNEL vnni_gemm_q4
#include "kernel/simd/gemm_q4.inc"
