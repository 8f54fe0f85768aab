// SPDX-License-Identifier: Apache-2.0
// What the VNNI set overrides: on AVX-512's registers where there are such, else on AVX2's. Compiled for AVX2 alone.
#include "kernel/sets.h"

void kernels_fill_vnni(Kernels *kernels) {
    bool wide = cpu_has_avx512();
    kernels->level = CPU_VNNI;
    kernels->gemm[WEIGHT_S8] = wide ? vnni_gemm_s8 : avxvnni_gemm_s8;
    kernels->gemm[WEIGHT_Q4] = wide ? vnni_gemm_q4 : avxvnni_gemm_q4;
    if (wide)
        kernels->attention_s8 = vnni_attention_s8;
}
