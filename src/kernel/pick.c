// SPDX-License-Identifier: Apache-2.0
// Names, the choice of kernel sets for a processor, and packing whole matrices with the kernel that will run them.
#include <assert.h>

#include "kernel/kernels.h"
#include "kernel/sets.h"

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
    static const char *const names[WEIGHT_KIND_COUNT] = {"f32", "f16", "bf16", "s8"};
    assert(kind >= 0 && kind < WEIGHT_KIND_COUNT);
    return names[kind];
}

void kernels_pick(CpuLevel level, Kernels *ret) {
    kernels_fill_ref(ret);
#if defined(__x86_64__)
    CpuLevel best = cpu_detect();
    if (level > best)
        level = best;
    if (level >= CPU_AVX2)
        kernels_fill_avx2(ret);
    if (level >= CPU_AVX512)
        kernels_fill_avx512(ret);
    if (level >= CPU_VNNI)
        kernels_fill_vnni(ret);
#else
    (void)level;
#endif
}

size_t gemm_panels(const GemmKernel *kernel, size_t n) {
    return n / kernel->nr + (n % kernel->nr != 0);
}

size_t gemm_packed_bytes(const GemmKernel *kernel, size_t n, size_t k) {
    return gemm_panels(kernel, n) * kernel->panel_bytes(k);
}

void gemm_pack(const GemmKernel *kernel, const void *weights, const float *scales, size_t element_bytes, size_t n,
               size_t k, size_t first_panel, size_t last_panel, void *ret_packed) {
    size_t bytes = kernel->panel_bytes(k);
    for (size_t panel = first_panel; panel < last_panel; panel++) {
        size_t first = panel * kernel->nr;
        size_t columns = n - first < kernel->nr ? n - first : kernel->nr;
        kernel->pack((const char *)weights + first * k * element_bytes, k, scales ? scales + first : NULL, columns, k,
                     (char *)ret_packed + panel * bytes);
    }
}
