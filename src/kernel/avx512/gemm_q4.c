// SPDX-License-Identifier: Apache-2.0
// Products with 4-bit weights: simd/gemm_q4.inc on this set's vectors, in pairs of s16.
#include "kernel/avx512/v16.inc"

#define Q4_STEP 2
#define Q4_ROWS 8
#define Q4_NAME "avx512 q4 8x32"
#define Q4_KERNEL SET(gemm_q4)
#include "kernel/simd/gemm_q4.inc"
