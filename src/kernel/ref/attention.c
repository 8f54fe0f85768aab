// SPDX-License-Identifier: Apache-2.0
// Attention, the definition: one query after the other; scores, softmax without its division, values, division.
#include "kernel/ref/math.h"
#include "kernel/ref/ref.h"

// Turns scores into exp(score - max) in place; returns 1 / their sum. No keys: 1 / 0.
static float weigh_scores(float *scores, size_t keys) {
    float lanes[16];
    for (size_t i = 0; i < 16; i++)
        lanes[i] = -INFINITY;
    for (size_t j = 0; j < keys; j++)
        lanes[j % 16] = scores[j] > lanes[j % 16] ? scores[j] : lanes[j % 16];
    float max = fold_max(lanes);
    memset(lanes, 0, sizeof lanes);
    for (size_t j = 0; j < keys; j++) {
        scores[j] = math_exp(scores[j] - max);
        lanes[j % 16] += scores[j];
    }
    return 1.0f / fold_sum(lanes);
}

void ref_attention_blocks(const AttentionBlocks *args) {
    for (size_t row = 0; row < args->queries; row++) {
        const float *q = args->q + row * args->q_stride;
        float *y = args->y + row * args->y_stride;
        for (size_t j = 0; j < args->keys; j++) {
            const float *k = args->base + (size_t)args->blocks[j / 16] * args->block_stride + j % 16;
            float sum = 0.0f;
            for (size_t d = 0; d < args->head_dim; d++)
                sum = fmaf(q[d], k[d * 16], sum);
            args->scratch[j] = args->scale * sum;
        }
        float factor = weigh_scores(args->scratch, args->keys);
        for (size_t d = 0; d < args->head_dim; d++) {
            float sum = 0.0f;
            for (size_t j = 0; j < args->keys; j++) {
                const float *block = args->base + (size_t)args->blocks[j / 16] * args->block_stride;
                sum = fmaf(args->scratch[j], block[args->v_offset + j % 16 * args->head_dim + d], sum);
            }
            y[d] = sum * factor;
        }
    }
}

void ref_attention_rows(const AttentionRows *args) {
    for (size_t j = 0; j < args->keys; j++) {
        const float *k = args->base + (size_t)args->slots[j] * args->slot_stride;
        float lanes[16] = {0};
        for (size_t d = 0; d < args->head_dim; d++)
            lanes[d % 16] = fmaf(args->q[d], k[d], lanes[d % 16]);
        args->scratch[j] = args->scale * fold_sum(lanes);
    }
    float factor = weigh_scores(args->scratch, args->keys);
    for (size_t d = 0; d < args->head_dim; d++) {
        float sum = 0.0f;
        for (size_t j = 0; j < args->keys; j++) {
            const float *v = args->base + (size_t)args->slots[j] * args->slot_stride + args->v_offset;
            sum = fmaf(args->scratch[j], v[d], sum);
        }
        args->y[d] = sum * factor;
    }
}

void ref_store_blocks(const float *k, const float *v, size_t kv_stride, size_t tokens, size_t heads, size_t head_dim,
                      size_t first, float *base, const int32_t *blocks, size_t block_stride, size_t v_offset) {
    size_t end = first + tokens;
    for (size_t place = first; tokens && place < (end + 15) / 16 * 16; place++) {
        float *block = base + (size_t)blocks[place / 16] * block_stride;
        for (size_t h = 0; h < heads; h++) {
            float *to_k = block + h * head_dim * 16 + place % 16;
            float *to_v = block + v_offset + (h * 16 + place % 16) * head_dim;
            size_t from = (place - first) * kv_stride + h * head_dim;
            for (size_t d = 0; d < head_dim; d++) {
                to_k[d * 16] = place < end ? k[from + d] : 0.0f;
                to_v[d] = place < end ? v[from + d] : 0.0f;
            }
        }
    }
}
