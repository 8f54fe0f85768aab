// SPDX-License-Identifier: Apache-2.0
// Products with s8 weights: simd/gemm_dot4.inc on AVX2's vectors.
#include "kernel/avxvnni/v16.inc"

#include "kernel/sets.h"
#include "kernel/simd/gemm_dot4.inc"

const GemmKernel avxvnni_gemm_s8 = {"avxvnni s8 6x16", GEMM_MR, NR, dot4_panel_bytes, dot4_pack, dot4_run, row_sum};
