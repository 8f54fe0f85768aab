// SPDX-License-Identifier: Apache-2.0
// What the AVX2 set overrides.
#include "kernel/sets.h"
#include "kernel/simd/set.h"

void kernels_fill_avx2(Kernels *kernels) {
    kernels->level = CPU_AVX2;
    FILL_SET(avx2);
}
