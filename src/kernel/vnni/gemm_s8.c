// SPDX-License-Identifier: Apache-2.0
// Products with s8 weights: simd/gemm_dot4.inc on AVX-512's vectors.
#include "kernel/avx512/v16.inc"

#include "kernel/sets.h"

// In assembly because GCC 12 moves every sum to another register and back around the intrinsic, spilling them: 550
// against 870 Gop/s.
INLINE I16 i16_dot_four(I16 acc, I16 weights, I16 x) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(weights), "v"(x));
    return acc;
}

#include "kernel/simd/gemm_dot4.inc"

const GemmKernel vnni_gemm_s8 = {"vnni s8 12x32", GEMM_MR, NR, dot4_panel_bytes, dot4_pack, dot4_run, row_sum};
