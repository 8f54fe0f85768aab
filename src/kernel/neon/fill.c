// SPDX-License-Identifier: Apache-2.0
// What the NEON set overrides. Its integer products are those of the best instructions this processor has.
#include "kernel/sets.h"
#include "kernel/simd/set.h"

size_t neon_gemm_variants(WeightKind kind, const GemmKernel **ret_kernels) {
    size_t count = 0;
    if (kind != WEIGHT_S8 && kind != WEIGHT_Q4) {
        ret_kernels[count++] = &neon_gemm_float[kind];
        return count;
    }
    if (cpu_has_i8mm())
        ret_kernels[count++] = kind == WEIGHT_S8 ? &neon_i8mm_gemm_s8 : &neon_i8mm_gemm_q4;
    if (cpu_has_dotprod())
        ret_kernels[count++] = kind == WEIGHT_S8 ? &neon_dot_gemm_s8 : &neon_dot_gemm_q4;
    ret_kernels[count++] = kind == WEIGHT_S8 ? &neon_gemm_s8 : &neon_gemm_q4;
    return count;
}

void kernels_fill_neon(Kernels *kernels) {
    kernels->level = CPU_NEON;
    FILL_SET(neon);
    for (WeightKind kind = 0; kind < WEIGHT_KIND_COUNT; kind++) {
        const GemmKernel *variants[GEMM_MOST_VARIANTS];
        neon_gemm_variants(kind, variants);
        kernels->gemm[kind] = *variants[0];
    }
}
