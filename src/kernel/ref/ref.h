// SPDX-License-Identifier: Apache-2.0
// The reference set's own functions, file by file; kernels.h says what each does.
#pragma once

#include "kernel/kernels.h"

// The activation of one element.
float ref_activate(Activation activation, float x);

extern const GemmKernel ref_gemm[WEIGHT_KIND_COUNT];

// The scale of n elements quantized together, and what they are multiplied with; then one of them.
float ref_scale_s8(const float *x, size_t n, float *ret_factor);
int8_t ref_quantize_s8(float x, float factor);
void ref_quantize_row_s8(const float *x, size_t k, int8_t *ret_q, float *ret_scale);
void ref_quantize_row_s8_by(const float *x, const float *factors, size_t k, int8_t *ret_q);
void ref_range(const float *x, size_t n, float *ret_least, float *ret_most);
void ref_quantize_u8(const float *x, size_t n, float scale, uint8_t zero, uint8_t flip, uint8_t *ret_q);
void ref_layer_norm(const float *x, const float *residual, const float *gain, const float *bias, float epsilon,
                    size_t n, float *ret_sum, float *y);
void ref_log_softmax(const float *x, size_t n, float *y);
void ref_log_normalizer(const float *x, size_t n, LogNormalizer *ret);
size_t ref_top_log_softmax(const float *x, size_t n, LogNormalizer normalizer, float offset, size_t most,
                           float *ret_values, int32_t *ret_indices);
void ref_softmax(const float *x, size_t n, float *y);
size_t ref_argmax(const float *x, size_t n);

void ref_activate_many(Activation activation, const float *x, size_t n, float *y);
void ref_add(const float *a, const float *b, size_t n, float *y);
void ref_scale(const float *x, float factor, size_t n, float *y);
void ref_gather_row(WeightKind kind, const void *table, const float *row_scales, size_t index, size_t n, float factor,
                    float *y);
void ref_gather_codes(const uint8_t *pairs, bool high_first, const float *scales, size_t group, const int8_t *codes,
                      size_t n, float factor, float *y);

void ref_store_blocks(const KvStore *args);
void ref_store_row(KvKind kind, const float *k, const float *v, size_t heads, size_t head_dim, void *slot);
void ref_attention_blocks(const AttentionBlocks *args);
void ref_attention_rows(const AttentionRows *args);
void ref_attention_s8(const AttentionS8 *args);
