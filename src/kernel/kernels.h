// SPDX-License-Identifier: Apache-2.0
// Kernels: arithmetic on raw pointers, one thread, no allocation, no errors.
//
// `ref/` is the definition, in plain C; every other set (avx2/, avx512/, vnni/) gives THE SAME BITS, and the checker
// (tests/kernel/) compares with ==. What makes that possible, and what every variant keeps:
//   - a matrix product is, for each output, one chain of fused multiply-adds over k = 0, 1, .. K-1 starting at +0;
//   output
//     columns lie in the lanes. Breaking K into blocks and storing the partial sums in between keeps the chain.
//   - sums, maxima and norms run over 16 virtual lanes: lane i takes elements i, i+16, ..; then lanes fold
//     16 -> 8 -> 4 -> 2 -> 1, lane i with lane i+half. An element that is not there adds nothing.
//   - exp, erf, tanh, log are our polynomials (kernel/ref/math.h) in fused multiply-adds; division and square root are
//     IEEE's. exp flushes to 0 where its result would be denormal (below -87.33654).
//   - int8 products are summed exactly in int32 (k up to 131,000); quantizing rounds half to even and clamps to +-127.
//   - where a fused multiply-add is meant it is written (fmaf); the compiler may not contract (-ffp-contract=off).
//   - results do not depend on neighbours: a row of a product is the same bits for any number of rows around it.
//   - a NaN is a NaN in every set; its sign and payload are free, since x86 takes them from whichever operand the
//     compiler put first.
// All this in the default floating-point environment: round to nearest, denormals kept.
//
// kernels_pick fills the reference set and lets each stronger set that the processor has, up to `level`, override what
// it has. Adding a variant is one file in kernel/<isa>/ and one line in that set's fill. The kernels of one Kernels go
// together: panels packed by one GemmKernel are run by that one only.
//
// Sharing a product out over threads: split columns at panels (nr), rows anywhere. A tile reads its panels once per 240
// rows or so; give each thread whole runs of panels first, at least four where rows are few (one row is run over four
// panels at a time), and split rows in multiples of mr only when panels do not suffice.
#pragma once

#include <stdbool.h>

#include "kernel/attention.h"
#include "kernel/gemm.h"

typedef struct LogNormalizer {
    float max, log_sum;
} LogNormalizer;

typedef struct Kernels {
    CpuLevel level; // the strongest set that filled something in
    GemmKernel gemm[WEIGHT_KIND_COUNT];

    // q[i] = clamp(rint(x[i] * (127 / absmax)), +-127), ret_scale = absmax / 127; absmax below 2^-100 gives
    // zeros and scale 0. q has room for k rounded up to GEMM_S8_K_STEP; the rest is zeroed. NaN counts as 0, infinity
    // as the largest float.
    void (*quantize_row_s8)(const float *x, size_t k, int8_t *ret_q, float *ret_scale);

    // q[i] = clamp(rint(x[i] * factors[i]), +-127): for a scale that is known beforehand (factors are its inverse, or
    // that with a factor for each column), which must be finite. Room, NaN and infinity as above.
    void (*quantize_row_s8_by)(const float *x, const float *factors, size_t k, int8_t *ret_q);

    // The least and the largest of n elements and 0. NaN is no element.
    void (*range)(const float *x, size_t n, float *ret_least, float *ret_most);

    // q[i] = clamp(rint(x[i] / scale) + zero, 0, 255), the rounding half to even; then its bits change where `flip` has
    // ones: 0x80 makes q - 128 of it, as s8. NaN gives 0. Room for n.
    void (*quantize_u8)(const float *x, size_t n, float scale, uint8_t zero, uint8_t flip, uint8_t *ret_q);

    // y = (x + residual - mean) * rstd * gain + bias over n elements, rstd = 1 / sqrt(variance + epsilon); biased
    // variance. residual, bias may be NULL. y may be x or residual. ret_sum, if not NULL, gets x + residual (pre-norm
    // models).
    void (*layer_norm)(const float *x, const float *residual, const float *gain, const float *bias, float epsilon,
                       size_t n, float *ret_sum, float *y);

    void (*activate)(Activation activation, const float *x, size_t n, float *y); // y may be x
    void (*add)(const float *a, const float *b, size_t n, float *y);             // y may be a or b
    void (*scale)(const float *x, float factor, size_t n, float *y);             // y may be x

    // Row `index` of a table [rows, n] as f32 times `factor` (no multiplication when it is 1).
    // WEIGHT_S8: fl(q * row_scale), then the factor.
    void (*gather_row)(WeightKind kind, const void *table, const float *row_scales, size_t index, size_t n,
                       float factor, float *y);
    // n codes of 4 bits, two to a byte (the first in the high half if `high_first`), as f32:
    // y[i] = fl(codes[code i] * scales[i / group]), then times `factor` (no multiplication when it is 1). `group` is a
    // multiple of 32.
    void (*gather_codes)(const uint8_t *pairs, bool high_first, const float *scales, size_t group, const int8_t *codes,
                         size_t n, float factor, float *y);

    // y[j] = x[j] - max - log(sum16 exp(x - max)); y may be x. -infinity stays. All -infinity gives NaN as torch does.
    // softmax: y[j] = exp(x[j] - max) * (1 / sum16).
    void (*log_softmax)(const float *x, size_t n, float *y);
    void (*softmax)(const float *x, size_t n, float *y);

    // What log_softmax subtracts: max and log(sum16 exp(x - max)).
    void (*log_normalizer)(const float *x, size_t n, LogNormalizer *ret);
    // The min(n, most) largest of (x[j] - max - log_sum) + offset, largest first, of equal ones the lowest index first:
    // the best of a row that log_softmax would write, without writing it. Elements may have become -infinity since
    // the normalizer was taken. Where one result is NaN all must be (as with a normalizer of the row itself): then the
    // first come. Returns how many.
    size_t (*top_log_softmax)(const float *x, size_t n, LogNormalizer normalizer, float offset, size_t most,
                              float *ret_values, int32_t *ret_indices);

    // First index of the largest element; a NaN counts as larger than any number, as torch.argmax has it. n > 0.
    size_t (*argmax)(const float *x, size_t n);

    // K and V into the layouts of kernel/attention.h: many tokens as blocks; one token, k and v [heads * head_dim], as
    // a row into its slot.
    void (*store_blocks)(const KvStore *args);
    void (*store_row)(KvKind kind, const float *k, const float *v, size_t heads, size_t head_dim, void *slot);
    void (*attention_blocks)(const AttentionBlocks *args);
    void (*attention_rows)(const AttentionRows *args);
    void (*attention_s8)(const AttentionS8 *args);
} Kernels;

// Fills *ret with the best variants the processor has, none stronger than `level`.
void kernels_pick(CpuLevel level, Kernels *ret);
