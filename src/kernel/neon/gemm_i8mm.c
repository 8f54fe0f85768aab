// SPDX-License-Identifier: Apache-2.0
// Integer products by SMMLA (FEAT_I8MM): two rows of eight bytes times two columns of eight, four sums in a register.
// An odd last row is multiplied with itself.
#include "kernel/neon/v16.inc"

#include "kernel/simd/gemm.inc"

#include "kernel/neon/weights.inc"

enum { STEP = 8, K_MULTIPLE = 8, PREFETCH_BYTES = 2048, COLUMN_PAIRS = NR / 2 };

// Sums of two rows, [columns in pairs], as two rows of columns.
INLINE void split_pairs(const int32x4_t *sums, I16 *ret_first, I16 *ret_second) {
    int64x2_t s[COLUMN_PAIRS];
    UNROLL(8)
    for (size_t i = 0; i < COLUMN_PAIRS; i++)
        s[i] = vreinterpretq_s64_s32(sums[i]);
    *ret_first = (I16){vreinterpretq_s32_s64(vzip1q_s64(s[0], s[1])), vreinterpretq_s32_s64(vzip1q_s64(s[2], s[3])),
                       vreinterpretq_s32_s64(vzip1q_s64(s[4], s[5])), vreinterpretq_s32_s64(vzip1q_s64(s[6], s[7]))};
    *ret_second = (I16){vreinterpretq_s32_s64(vzip2q_s64(s[0], s[1])), vreinterpretq_s32_s64(vzip2q_s64(s[2], s[3])),
                        vreinterpretq_s32_s64(vzip2q_s64(s[4], s[5])), vreinterpretq_s32_s64(vzip2q_s64(s[6], s[7]))};
}

// Sums of R rows of x over `count` k's with the 16 columns of a panel. A vector of weights is two columns.
INLINE void multiply_panel(const int8_t *x, size_t x_stride, size_t count, Weights weights, const size_t R,
                           I16 *ret_sums) {
    int32x4_t sums[GEMM_MR / 2 * COLUMN_PAIRS];
    UNROLL(24)
    for (size_t i = 0; i < (R + 1) / 2 * COLUMN_PAIRS; i++)
        sums[i] = vdupq_n_s32(0);
    for (size_t k = 0; k < count; k += STEP) {
        int8x16_t a[GEMM_MR / 2];
        UNROLL(3)
        for (size_t r = 0; r < R; r += 2)
            a[r / 2] = vcombine_s8(vld1_s8(x + r * x_stride + k), vld1_s8(x + (r + 1 < R ? r + 1 : r) * x_stride + k));
        __builtin_prefetch(weights.from + PREFETCH_BYTES);
        UNROLL(4)
        for (size_t i = 0; i < COLUMN_PAIRS; i += 2) {
            int8x16x2_t w = weights_pair(&weights, i / 2);
            UNROLL(3)
            for (size_t r = 0; r < (R + 1) / 2; r++) {
                int32x4_t *at = sums + r * COLUMN_PAIRS + i;
                at[0] = vmmlaq_s32(at[0], a[r], w.val[0]);
                at[1] = vmmlaq_s32(at[1], a[r], w.val[1]);
            }
        }
        weights_skip(&weights, COLUMN_PAIRS);
    }
    UNROLL(3)
    for (size_t r = 0; r < R; r += 2) {
        I16 unused;
        split_pairs(sums + r / 2 * COLUMN_PAIRS, ret_sums + r, r + 1 < R ? ret_sums + r + 1 : &unused);
    }
}

#include "kernel/neon/integer.inc"

const GemmKernel neon_i8mm_gemm_s8 = {"neon i8mm s8 6x16", GEMM_MR, NR, s8_panel_bytes, s8_pack, s8_run};
const GemmKernel neon_i8mm_gemm_q4 = {"neon i8mm q4 6x16", GEMM_MR, NR, q4_panel_bytes, q4_pack, q4_run};
