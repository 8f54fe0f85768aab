// SPDX-License-Identifier: Apache-2.0
// Attention in integers, the definition (kernel/attention.h).
#include "kernel/ref/math.h"
#include "kernel/ref/ref.h"

// What one head's keys and values are made into; all of it lies in the scratch.
typedef struct Quantized {
    float *k_scales, *v_scales, *scores; // [keys], [head_dim], [keys]
    int8_t *k, *v, *q;                   // [keys, head_dim] twice, [head_dim]
} Quantized;

static Quantized quantize(const AttentionS8 *args) {
    size_t keys = args->keys, dim = args->head_dim;
    Quantized all = {.k_scales = args->scratch};
    all.v_scales = all.k_scales + keys;
    all.scores = all.v_scales + dim;
    all.k = (int8_t *)(all.scores + keys);
    all.v = all.k + keys * dim;
    all.q = all.v + keys * dim;
    float factor;
    for (size_t j = 0; j < keys; j++) {
        all.k_scales[j] = ref_scale_s8(args->k + j * args->k_stride, dim, &factor);
        for (size_t d = 0; d < dim; d++)
            all.k[j * dim + d] = ref_quantize_s8(args->k[j * args->k_stride + d], factor);
    }
    for (size_t d = 0; d < dim; d++) {
        for (size_t j = 0; j < keys; j++)
            all.scores[j] = args->v[j * args->v_stride + d];
        all.v_scales[d] = ref_scale_s8(all.scores, keys, &factor);
        for (size_t j = 0; j < keys; j++)
            all.v[j * dim + d] = ref_quantize_s8(all.scores[j], factor);
    }
    return all;
}

static void attend(const AttentionS8 *args, const Quantized *all, const float *q, float *y) {
    size_t keys = args->keys, dim = args->head_dim;
    float factor, by = args->scale * LOG2_E * ref_scale_s8(q, dim, &factor), max = -INFINITY;
    for (size_t d = 0; d < dim; d++)
        all->q[d] = ref_quantize_s8(q[d], factor);
    for (size_t j = 0; j < keys; j++) {
        int32_t sum = 0;
        for (size_t d = 0; d < dim; d++)
            sum += all->q[d] * all->k[j * dim + d];
        all->scores[j] = (float)sum * all->k_scales[j];
        max = all->scores[j] > max ? all->scores[j] : max;
    }
    float total = 0;
    for (size_t j = 0; j < keys; j++)
        total += all->scores[j] = weight_u8((all->scores[j] - max) * by, weight_below[j % 16]);
    for (size_t d = 0; d < dim; d++) {
        int32_t sum = 0;
        for (size_t j = 0; j < keys; j++)
            sum += (int32_t)all->scores[j] * all->v[j * dim + d];
        y[d] = (float)sum * (all->v_scales[d] * (1.0f / total));
    }
}

void ref_attention_s8(const AttentionS8 *args) {
    Quantized all = quantize(args);
    for (size_t row = 0; row < args->queries; row++)
        attend(args, &all, args->q + row * args->q_stride, args->y + row * args->y_stride);
}
