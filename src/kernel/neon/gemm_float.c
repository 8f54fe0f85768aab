// SPDX-License-Identifier: Apache-2.0
// Products with f32, f16 and bf16 weights: simd/gemm_float.inc on this set's vectors.
#include "kernel/neon/v16.inc"

#include "kernel/simd/gemm_float.inc"
