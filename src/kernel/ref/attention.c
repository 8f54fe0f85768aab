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

// Block by block and head by head, so that the lines written stay in the first-level cache: 16 tokens are turned at a
// time, each line of K being read from 16 rows.
void ref_store_blocks(const float *k, size_t k_stride, const float *v, size_t v_stride, size_t tokens, size_t heads,
                      size_t head_dim, size_t first, float *base, const int32_t *blocks, size_t block_stride,
                      size_t v_offset) {
    size_t end = first + tokens;
    for (size_t start = first / 16 * 16; tokens && start < end; start += 16) {
        float *block = base + (size_t)blocks[start / 16] * block_stride;
        size_t low = start < first ? first - start : 0, high = end - start < 16 ? end - start : 16;
        for (size_t h = 0; h < heads; h++) {
            const float *from_k = k + (start + low - first) * k_stride + h * head_dim;
            const float *from_v = v + (start + low - first) * v_stride + h * head_dim;
            float *to_k = block + h * head_dim * 16, *to_v = block + v_offset + h * head_dim * 16;
            for (size_t d = 0; d < head_dim; d++) {
                for (size_t lane = low; lane < high; lane++)
                    to_k[d * 16 + lane] = from_k[(lane - low) * k_stride + d];
                for (size_t lane = high; lane < 16; lane++)
                    to_k[d * 16 + lane] = 0.0f;
            }
            for (size_t lane = low; lane < high; lane++)
                memcpy(to_v + lane * head_dim, from_v + (lane - low) * v_stride, head_dim * sizeof *to_v);
            memset(to_v + high * head_dim, 0, (16 - high) * head_dim * sizeof *to_v);
        }
    }
}
