// SPDX-License-Identifier: Apache-2.0
// The reference set's own functions, file by file; kernels.h says what each does.
#pragma once

#include "kernel/kernels.h"

// The activation of one element.
float ref_activate(Activation activation, float x);

extern const GemmKernel ref_gemm[WEIGHT_KIND_COUNT];

void ref_quantize_row_s8(const float *x, size_t k, int8_t *ret_q, float *ret_scale);
void ref_layer_norm(const float *x, const float *residual, const float *gain, const float *bias, float epsilon,
                    size_t n, float *ret_sum, float *y);
void ref_log_softmax(const float *x, size_t n, float *y);
void ref_softmax(const float *x, size_t n, float *y);
size_t ref_argmax(const float *x, size_t n);

void ref_activate_many(Activation activation, const float *x, size_t n, float *y);
void ref_add(const float *a, const float *b, size_t n, float *y);
void ref_scale(const float *x, float factor, size_t n, float *y);
void ref_gather_row(WeightKind kind, const void *table, const float *row_scales, size_t index, size_t n, float factor,
                    float *y);
void ref_gather_codes(const uint8_t *pairs, bool high_first, const float *scales, size_t group, const int8_t *codes,
                      size_t n, float factor, float *y);

void ref_store_blocks(const float *k, size_t k_stride, const float *v, size_t v_stride, size_t tokens, size_t heads,
                      size_t head_dim, size_t first, float *base, const int32_t *blocks, size_t block_stride,
                      size_t v_offset);
void ref_attention_blocks(const AttentionBlocks *args);
void ref_attention_rows(const AttentionRows *args);
