// SPDX-License-Identifier: Apache-2.0
// Integer products on any aarch64: products of bytes fit 16 bits, two of them do not (2 * -128 * -128), so that each is
// added with its neighbour into 32.
#include "kernel/neon/v16.inc"

#include "kernel/simd/gemm.inc"

#include "kernel/neon/weights.inc"

enum { STEP = 2, K_MULTIPLE = 4, PREFETCH_BYTES = 2048 };

// Four columns' products of two pairs of k's into their sums.
INLINE int32x4_t add_products(int32x4_t sum, int8x8_t w, int8x8_t a, int8x8_t next_w, int8x8_t next_a) {
    return vpadalq_s16(vpadalq_s16(sum, vmull_s8(w, a)), vmull_s8(next_w, next_a));
}

INLINE int8x8_t load_pair(const int8_t *x) {
    int16_t pair;
    memcpy(&pair, x, sizeof pair);
    return vreinterpret_s8_s16(vdup_n_s16(pair));
}

// Sums of R rows of x over `count` k's with the 16 columns of a panel. A vector of weights is eight columns' pairs.
INLINE void multiply_panel(const int8_t *x, size_t x_stride, size_t count, Weights weights, const size_t R,
                           I16 *ret_sums) {
    UNROLL(6)
    for (size_t r = 0; r < R; r++)
        ret_sums[r] = i16_zero();
    for (size_t k = 0; k < count; k += K_MULTIPLE) {
        int8x16x2_t w = weights_pair(&weights, 0), next = weights_pair(&weights, 1);
        __builtin_prefetch(weights.from + PREFETCH_BYTES);
        weights_skip(&weights, 4);
        UNROLL(6)
        for (size_t r = 0; r < R; r++) {
            int8x8_t a = load_pair(x + r * x_stride + k), next_a = load_pair(x + r * x_stride + k + 2);
            I16 *sum = ret_sums + r;
            sum->a = add_products(sum->a, vget_low_s8(w.val[0]), a, vget_low_s8(next.val[0]), next_a);
            sum->b = add_products(sum->b, vget_high_s8(w.val[0]), a, vget_high_s8(next.val[0]), next_a);
            sum->c = add_products(sum->c, vget_low_s8(w.val[1]), a, vget_low_s8(next.val[1]), next_a);
            sum->d = add_products(sum->d, vget_high_s8(w.val[1]), a, vget_high_s8(next.val[1]), next_a);
        }
    }
}

#include "kernel/neon/integer.inc"

const GemmKernel neon_gemm_s8 = {"neon s8 6x16", GEMM_MR, NR, s8_panel_bytes, s8_pack, s8_run};
const GemmKernel neon_gemm_q4 = {"neon q4 6x16", GEMM_MR, NR, q4_panel_bytes, q4_pack, q4_run};
