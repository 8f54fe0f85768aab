// SPDX-License-Identifier: Apache-2.0
// Attention: simd/attention.inc and simd/attention_s8.inc on this set's vectors.
#include "kernel/avx512/v16.inc"

#include "kernel/simd/attention.inc"
#include "kernel/simd/attention_s8.inc"
