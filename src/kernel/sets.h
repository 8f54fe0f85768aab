// SPDX-License-Identifier: Apache-2.0
// The kernel sets: each overrides in *kernels what it has (kernels_fill_ref fills everything). For pick.c alone; only
// call a set on a processor that has its instructions.
#pragma once

#include "kernel/kernels.h"

void kernels_fill_ref(Kernels *kernels);
#if defined(__x86_64__)
void kernels_fill_avx2(Kernels *kernels);
void kernels_fill_avx512(Kernels *kernels);
void kernels_fill_vnni(Kernels *kernels);
void vnni_attention_s8(const AttentionS8 *args);
extern const GemmKernel vnni_gemm_q4, vnni_gemm_s8, avxvnni_gemm_q4, avxvnni_gemm_s8;
#elif defined(__aarch64__)
void kernels_fill_neon(Kernels *kernels);
extern const GemmKernel neon_dot_gemm_q4, neon_dot_gemm_s8, neon_i8mm_gemm_q4, neon_i8mm_gemm_s8;
// gemm_variants of this set on this processor.
size_t neon_gemm_variants(WeightKind kind, const GemmKernel **ret_kernels);
#endif
