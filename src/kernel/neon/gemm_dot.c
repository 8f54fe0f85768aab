// SPDX-License-Identifier: Apache-2.0
// Integer products by SDOT (FEAT_DotProd): four products of bytes added into each 32-bit lane.
#include "kernel/neon/v16.inc"

#include "kernel/simd/gemm.inc"

#include "kernel/neon/weights.inc"

enum { STEP = 4, K_MULTIPLE = 4, PREFETCH_BYTES = 2048 };

// Sums of R rows of x over `count` k's with the 16 columns of a panel. A vector of weights is four columns.
INLINE void multiply_panel(const int8_t *x, size_t x_stride, size_t count, Weights weights, const size_t R,
                           I16 *ret_sums) {
    UNROLL(6)
    for (size_t r = 0; r < R; r++)
        ret_sums[r] = i16_zero();
    for (size_t k = 0; k < count; k += STEP) {
        int8x16x2_t low = weights_pair(&weights, 0), high = weights_pair(&weights, 1);
        __builtin_prefetch(weights.from + PREFETCH_BYTES);
        weights_skip(&weights, 4);
        UNROLL(6)
        for (size_t r = 0; r < R; r++) {
            int32_t four;
            memcpy(&four, x + r * x_stride + k, sizeof four);
            int8x8_t a = vreinterpret_s8_s32(vdup_n_s32(four));
            ret_sums[r].a = vdotq_lane_s32(ret_sums[r].a, low.val[0], a, 0);
            ret_sums[r].b = vdotq_lane_s32(ret_sums[r].b, low.val[1], a, 0);
            ret_sums[r].c = vdotq_lane_s32(ret_sums[r].c, high.val[0], a, 0);
            ret_sums[r].d = vdotq_lane_s32(ret_sums[r].d, high.val[1], a, 0);
        }
    }
}

#include "kernel/neon/integer.inc"

const GemmKernel neon_dot_gemm_s8 = {"neon dot s8 6x16", GEMM_MR, NR, s8_panel_bytes, s8_pack, s8_run};
const GemmKernel neon_dot_gemm_q4 = {"neon dot q4 6x16", GEMM_MR, NR, q4_panel_bytes, q4_pack, q4_run};
