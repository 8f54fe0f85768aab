// SPDX-License-Identifier: Apache-2.0
// What the AVX-512 set overrides.
#include "kernel/sets.h"
#include "kernel/simd/set.h"

void kernels_fill_avx512(Kernels *kernels) {
    kernels->level = CPU_AVX512;
    FILL_SET(avx512);
}
