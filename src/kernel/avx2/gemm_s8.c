// SPDX-License-Identifier: Apache-2.0
// Products with s8 weights: simd/gemm_s8.inc on this set's vectors.
#include "kernel/avx2/v16.inc"

#include "kernel/simd/gemm_s8.inc"
