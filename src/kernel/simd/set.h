// SPDX-License-Identifier: Apache-2.0
// The functions of the sets that simd/*.inc makes, one list for each set's prefix; kernels.h says what each does.
#pragma once

#include <string.h>

#include "kernel/kernels.h"

#define DECLARE_SET(set)                                                                                               \
    extern const GemmKernel set##_gemm_float[3]; /* by WeightKind */                                                   \
    extern const GemmKernel set##_gemm_s8;                                                                             \
    extern const GemmKernel set##_gemm_q4;                                                                             \
    float set##_weigh(const float *x, size_t count, float *y);                                                         \
    void set##_quantize_row_s8(const float *x, size_t k, int8_t *ret_q, float *ret_scale);                             \
    void set##_quantize_row_s8_by(const float *x, const float *factors, size_t k, int8_t *ret_q);                      \
    void set##_range(const float *x, size_t count, float *ret_least, float *ret_most);                                 \
    void set##_quantize_u8(const float *x, size_t count, float scale, uint8_t zero, uint8_t flip, uint8_t *ret_q);     \
    void set##_layer_norm(const float *x, const float *residual, const float *gain, const float *bias, float epsilon,  \
                          size_t count, float *ret_sum, float *y);                                                     \
    void set##_activate(Activation activation, const float *x, size_t count, float *y);                                \
    void set##_add(const float *a, const float *b, size_t count, float *y);                                            \
    void set##_scale(const float *x, float factor, size_t count, float *y);                                            \
    void set##_gather_row(WeightKind kind, const void *table, const float *row_scales, size_t index, size_t count,     \
                          float factor, float *y);                                                                     \
    void set##_gather_codes(const uint8_t *pairs, bool high_first, const float *scales, size_t group,                  \
                            const int8_t *codes, size_t count, float factor, float *y);                                \
    void set##_log_softmax(const float *x, size_t count, float *y);                                                    \
    void set##_log_normalizer(const float *x, size_t count, LogNormalizer *ret);                                       \
    size_t set##_top_log_softmax(const float *x, size_t count, LogNormalizer normalizer, float offset, size_t most,    \
                                 float *ret_values, int32_t *ret_indices);                                             \
    void set##_softmax(const float *x, size_t count, float *y);                                                        \
    size_t set##_argmax(const float *x, size_t count);                                                                 \
    void set##_store_blocks(const KvStore *args);                                                                      \
    void set##_store_row(KvKind kind, const float *k, const float *v, size_t heads, size_t head_dim, void *slot);      \
    void set##_attention_blocks(const AttentionBlocks *args);                                                          \
    void set##_attention_rows(const AttentionRows *args);                                                              \
    void set##_attention_s8(const AttentionS8 *args);

DECLARE_SET(avx2)
DECLARE_SET(avx512)
DECLARE_SET(neon)

// Everything of a set into `kernels`.
#define FILL_SET(set)                                                                                                  \
    do {                                                                                                               \
        memcpy(kernels->gemm, set##_gemm_float, sizeof set##_gemm_float);                                              \
        kernels->gemm[WEIGHT_S8] = set##_gemm_s8;                                                                      \
        kernels->gemm[WEIGHT_Q4] = set##_gemm_q4;                                                                      \
        kernels->quantize_row_s8 = set##_quantize_row_s8;                                                              \
        kernels->quantize_row_s8_by = set##_quantize_row_s8_by;                                                        \
        kernels->range = set##_range;                                                                                  \
        kernels->quantize_u8 = set##_quantize_u8;                                                                      \
        kernels->layer_norm = set##_layer_norm;                                                                        \
        kernels->activate = set##_activate;                                                                            \
        kernels->add = set##_add;                                                                                      \
        kernels->scale = set##_scale;                                                                                  \
        kernels->gather_row = set##_gather_row;                                                                        \
        kernels->gather_codes = set##_gather_codes;                                                                    \
        kernels->log_softmax = set##_log_softmax;                                                                      \
        kernels->log_normalizer = set##_log_normalizer;                                                                \
        kernels->top_log_softmax = set##_top_log_softmax;                                                              \
        kernels->softmax = set##_softmax;                                                                              \
        kernels->argmax = set##_argmax;                                                                                \
        kernels->store_blocks = set##_store_blocks;                                                                    \
        kernels->store_row = set##_store_row;                                                                          \
        kernels->attention_blocks = set##_attention_blocks;                                                            \
        kernels->attention_rows = set##_attention_rows;                                                                \
        kernels->attention_s8 = set##_attention_s8;                                                                    \
    } while (0)
