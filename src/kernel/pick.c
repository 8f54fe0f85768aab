// SPDX-License-Identifier: Apache-2.0
// Names, the choice of kernel sets for a processor, and packing whole matrices with the kernel that will run them.
#include <assert.h>
#include <string.h>

#include "kernel/kernels.h"
#include "kernel/ref/ref.h"
#include "kernel/sets.h"
#if defined(__x86_64__)
#include "kernel/simd/set.h"
#endif

static const char *const activation_names[ACTIVATION_COUNT] = {"none", "relu", "gelu", "gelu_tanh", "silu", "tanh"};

const char *activation_name(Activation activation) {
    assert(activation >= 0 && activation < ACTIVATION_COUNT);
    return activation_names[activation];
}

bool activation_from_name(const char *name, Activation *ret) {
    for (Activation activation = 0; activation < ACTIVATION_COUNT; activation++)
        if (strcmp(name, activation_names[activation]) == 0) {
            *ret = activation;
            return true;
        }
    return false;
}

const char *weight_kind_name(WeightKind kind) {
    static const char *const names[WEIGHT_KIND_COUNT] = {"f32", "f16", "bf16", "s8", "q4"};
    assert(kind >= 0 && kind < WEIGHT_KIND_COUNT);
    return names[kind];
}

static const char *const kv_kind_names[KV_KIND_COUNT] = {"f32", "f16", "int8"};

const char *kv_kind_name(KvKind kind) {
    assert(kind >= 0 && kind < KV_KIND_COUNT);
    return kv_kind_names[kind];
}

bool kv_kind_from_name(const char *name, KvKind *ret) {
    for (KvKind kind = 0; kind < KV_KIND_COUNT; kind++)
        if (strcmp(name, kv_kind_names[kind]) == 0) {
            *ret = kind;
            return true;
        }
    return false;
}

void kernels_pick(CpuLevel level, Kernels *ret) {
    kernels_fill_ref(ret);
#if defined(__x86_64__)
    CpuLevel best = cpu_detect();
    if (level > best)
        level = best;
    if (level >= CPU_AVX2)
        kernels_fill_avx2(ret);
    if (level >= CPU_AVX512 && cpu_has_avx512())
        kernels_fill_avx512(ret);
    if (level >= CPU_VNNI)
        kernels_fill_vnni(ret);
#elif defined(__aarch64__)
    if (level >= CPU_NEON)
        kernels_fill_neon(ret);
#else
    (void)level;
#endif
}

size_t gemm_panels(const GemmKernel *kernel, size_t n) {
    return n / kernel->nr + (n % kernel->nr != 0);
}

size_t gemm_packed_bytes(const GemmKernel *kernel, size_t n, size_t k, size_t group) {
    return gemm_panels(kernel, n) * kernel->panel_bytes(k, group);
}

static size_t element_bytes(WeightKind kind) {
    return kind == WEIGHT_F32 ? 4 : kind == WEIGHT_F16 || kind == WEIGHT_BF16 ? 2 : 1;
}

void gemm_pack(const GemmKernel *kernel, WeightKind kind, const GemmRows *matrix, size_t first_panel, size_t last_panel,
               void *ret_packed) {
    size_t bytes = kernel->panel_bytes(matrix->k, matrix->group);
    size_t scales_each = matrix->group ? matrix->k / matrix->group : 1;
    for (size_t panel = first_panel; panel < last_panel; panel++) {
        size_t first = panel * kernel->nr;
        GemmRows rows = *matrix;
        rows.columns = matrix->columns - first < kernel->nr ? matrix->columns - first : kernel->nr;
        rows.weights = (const char *)matrix->weights + first * matrix->stride * element_bytes(kind);
        rows.scales = matrix->scales ? matrix->scales + first * scales_each : NULL;
        kernel->pack(&rows, (char *)ret_packed + panel * bytes);
    }
}

size_t gemm_variants(CpuLevel level, WeightKind kind, const GemmKernel *ret_kernels[GEMM_MOST_VARIANTS]) {
    size_t count = 0;
#if defined(__x86_64__)
    CpuLevel best = cpu_detect();
    level = level > best ? best : level;
    const bool s8 = kind == WEIGHT_S8, q4 = kind == WEIGHT_Q4;
    const bool vnni = level >= CPU_VNNI && (s8 || q4), wide = cpu_has_avx512();
    if (vnni && wide)
        ret_kernels[count++] = s8 ? &vnni_gemm_s8 : &vnni_gemm_q4;
    if (vnni && cpu_has_avx_vnni())
        ret_kernels[count++] = s8 ? &avxvnni_gemm_s8 : &avxvnni_gemm_q4;
    if (level >= CPU_AVX512 && wide)
        ret_kernels[count++] = s8 ? &avx512_gemm_s8 : q4 ? &avx512_gemm_q4 : &avx512_gemm_float[kind];
    if (level >= CPU_AVX2)
        ret_kernels[count++] = s8 ? &avx2_gemm_s8 : q4 ? &avx2_gemm_q4 : &avx2_gemm_float[kind];
#elif defined(__aarch64__)
    if (level >= CPU_NEON)
        count = neon_gemm_variants(kind, ret_kernels);
#else
    (void)level;
#endif
    if (!count)
        ret_kernels[count++] = &ref_gemm[kind];
    return count;
}
