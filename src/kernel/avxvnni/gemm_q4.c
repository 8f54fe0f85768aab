// SPDX-License-Identifier: Apache-2.0
// Products with 4-bit weights: simd/gemm_q4.inc on AVX2's vectors, in fours by VPDPBUSD.
#include "kernel/avxvnni/v16.inc"

#include "kernel/sets.h"

#define Q4_OFFSET 128
#define Q4_ROWS 6
#define Q4_NAME "avxvnni q4 6x16"
#define Q4_KERNEL avxvnni_gemm_q4
#include "kernel/simd/gemm_q4.inc"
