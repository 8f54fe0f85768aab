// SPDX-License-Identifier: Apache-2.0
// What this processor can do, and how much of it hone may use.
#pragma once

#include <stdbool.h>

#include "base/status.h"

// Kernel sets from weakest to strongest. x86: ref < avx2 < avx512 < vnni; aarch64: ref < neon.
typedef enum CpuLevel { CPU_REF, CPU_AVX2, CPU_AVX512, CPU_VNNI, CPU_NEON, CPU_LEVEL_COUNT } CpuLevel;

// "ref", "avx2", ...
const char *cpu_level_name(CpuLevel level);

// The strongest level this machine runs: avx2 needs AVX2+FMA+F16C; avx512 F+BW+DQ+VL besides; vnni AVX512_VNNI besides,
// or, without AVX-512, AVX-VNNI besides avx2.
CpuLevel cpu_detect(void);

// AVX-512 with F+BW+DQ+VL; AVX-VNNI. False on other processors than x86.
bool cpu_has_avx512(void);
bool cpu_has_avx_vnni(void);

// The level called `name` (NULL: the detected one). ERR_USAGE for an unknown name, ERR_UNSUPPORTED for one that this
// machine cannot run.
MUST_CHECK Status cpu_choose(const char *name, CpuLevel *ret_level, Error *err);

// Instructions that single kernels of the neon level use: SDOT (FEAT_DotProd), SMMLA (FEAT_I8MM). False elsewhere.
bool cpu_has_dotprod(void);
bool cpu_has_i8mm(void);

// The instructions of SHA-256 on x86. False elsewhere.
bool cpu_has_sha(void);

// Physical cores this process may run on (from its affinity mask and the kernel's topology); at least 1.
int cpu_cores(void);

// The processor's marketing name, into `ret_name` (always NUL-terminated; "unknown" if the system does not say).
void cpu_name(char *ret_name, size_t bytes);

// Last-level and second-level cache in bytes; 0 when the system does not say.
size_t cpu_cache_bytes(int level);
