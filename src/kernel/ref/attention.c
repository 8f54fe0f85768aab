// SPDX-License-Identifier: Apache-2.0
// Attention, the definition: one query after the other; scores, softmax without its division, values, division.
#include "kernel/ref/math.h"
#include "kernel/ref/ref.h"

// Element `at` of K and V stored as `kind`.
static float kv_read(KvKind kind, const void *from, size_t at) {
    switch (kind) {
    case KV_F16:
        return float_from_f16(((const uint16_t *)from)[at]);
    case KV_S8:
        return (float)((const int8_t *)from)[at];
    default:
        return ((const float *)from)[at];
    }
}

static void kv_write(KvKind kind, void *to, size_t at, float value, float factor) {
    switch (kind) {
    case KV_F16:
        ((uint16_t *)to)[at] = f16_from_float(value);
        break;
    case KV_S8:
        ((int8_t *)to)[at] = ref_quantize_s8(value, factor);
        break;
    default:
        ((float *)to)[at] = value;
    }
}

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

static const char *block_of(const AttentionBlocks *args, size_t key) {
    return (const char *)args->base + (size_t)args->blocks[key / 16] * args->block_bytes;
}

// One query's scores, weights and sums of one head.
static void attend_row(const AttentionBlocks *args, size_t head, const float *q, float *y) {
    size_t at = head * 16 * kv_head_bytes(args->kind, args->head_dim);
    size_t k_offset = 16 * kv_scale_bytes(args->kind);
    size_t v_offset = k_offset + 16 * args->head_dim * kv_element_bytes(args->kind);
    for (size_t j = 0; j < args->keys; j++) {
        const char *block = block_of(args, j) + at;
        float sum = 0.0f;
        for (size_t d = 0; d < args->head_dim; d++)
            sum = fmaf(q[d], kv_read(args->kind, block + k_offset, d * 16 + j % 16), sum);
        args->scratch[j] = args->scale * sum;
        if (args->kind == KV_S8)
            args->scratch[j] *= kv_read(KV_F32, block, j % 16);
    }
    float factor = weigh_scores(args->scratch, args->keys);
    for (size_t j = 0; j < args->keys && args->kind == KV_S8; j++)
        args->scratch[j] *= kv_read(KV_F32, block_of(args, j) + at, 16 + j % 16);
    for (size_t d = 0; d < args->head_dim; d++) {
        float sum = 0.0f;
        for (size_t j = 0; j < args->keys; j++)
            sum = fmaf(args->scratch[j],
                       kv_read(args->kind, block_of(args, j) + at + v_offset, j % 16 * args->head_dim + d), sum);
        y[d] = sum * factor;
    }
}

void ref_attention_blocks(const AttentionBlocks *args) {
    for (size_t row = 0; row < args->queries; row++)
        for (size_t h = 0; h < args->heads; h++)
            attend_row(args, h, args->q + row * args->q_stride + h * args->head_dim,
                       args->y + row * args->y_stride + h * args->head_dim);
}

static void attend_head(const AttentionRows *args, const char *base, const float *q, float *y) {
    size_t k_offset = kv_scale_bytes(args->kind), v_offset = k_offset + args->head_dim * kv_element_bytes(args->kind);
    for (size_t j = 0; j < args->keys; j++) {
        const char *row = base + (size_t)args->slots[j] * args->slot_bytes;
        float lanes[16] = {0};
        for (size_t d = 0; d < args->head_dim; d++)
            lanes[d % 16] = fmaf(q[d], kv_read(args->kind, row + k_offset, d), lanes[d % 16]);
        args->scratch[j] = args->scale * fold_sum(lanes);
        if (args->kind == KV_S8)
            args->scratch[j] *= kv_read(KV_F32, row, 0);
    }
    float factor = weigh_scores(args->scratch, args->keys);
    for (size_t j = 0; j < args->keys && args->kind == KV_S8; j++)
        args->scratch[j] *= kv_read(KV_F32, base + (size_t)args->slots[j] * args->slot_bytes, 1);
    for (size_t d = 0; d < args->head_dim; d++) {
        float sum = 0.0f;
        for (size_t j = 0; j < args->keys; j++)
            sum = fmaf(args->scratch[j],
                       kv_read(args->kind, base + (size_t)args->slots[j] * args->slot_bytes + v_offset, d), sum);
        y[d] = sum * factor;
    }
}

void ref_attention_rows(const AttentionRows *args) {
    for (size_t h = 0; h < args->heads; h++)
        attend_head(args, (const char *)args->base + h * kv_head_bytes(args->kind, args->head_dim),
                    args->q + h * args->head_dim, args->y + h * args->head_dim);
}

// One token of one head into place `lane` of a block.
static void store_token(const KvStore *args, const float *k, const float *v, size_t lane, char *block) {
    float k_factor = 0.0f, v_factor = 0.0f;
    if (args->kind == KV_S8) {
        ((float *)(void *)block)[lane] = ref_scale_s8(k, args->head_dim, &k_factor);
        ((float *)(void *)block)[16 + lane] = ref_scale_s8(v, args->head_dim, &v_factor);
        block += 16 * kv_scale_bytes(KV_S8);
    }
    for (size_t d = 0; d < args->head_dim; d++) {
        kv_write(args->kind, block, d * 16 + lane, k[d], k_factor);
        kv_write(args->kind, block, (16 + lane) * args->head_dim + d, v[d], v_factor);
    }
}

void ref_store_blocks(const KvStore *args) {
    size_t head_bytes = 16 * kv_head_bytes(args->kind, args->head_dim);
    for (size_t token = 0; token < args->tokens; token++)
        for (size_t h = 0; h < args->heads; h++) {
            char *block = (char *)args->base + (size_t)args->blocks[token / 16] * args->block_bytes + h * head_bytes;
            if (token % 16 == 0)
                memset(block, 0, head_bytes);
            store_token(args, args->k + token * args->k_stride + h * args->head_dim,
                        args->v + token * args->v_stride + h * args->head_dim, token % 16, block);
        }
}

void ref_store_row(KvKind kind, const float *k, const float *v, size_t heads, size_t head_dim, void *slot) {
    for (size_t h = 0; h < heads; h++) {
        char *row = (char *)slot + h * kv_head_bytes(kind, head_dim);
        float k_factor = 0.0f, v_factor = 0.0f;
        if (kind == KV_S8) {
            ((float *)(void *)row)[0] = ref_scale_s8(k + h * head_dim, head_dim, &k_factor);
            ((float *)(void *)row)[1] = ref_scale_s8(v + h * head_dim, head_dim, &v_factor);
            row += kv_scale_bytes(KV_S8);
        }
        for (size_t d = 0; d < head_dim; d++) {
            kv_write(kind, row, d, k[h * head_dim + d], k_factor);
            kv_write(kind, row, head_dim + d, v[h * head_dim + d], v_factor);
        }
    }
}
