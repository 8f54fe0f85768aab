// SPDX-License-Identifier: Apache-2.0
// Attention over stored keys and values (kernel/kernels.h tells what all kernels keep), and storing them.
//
// A kind says how an element of K and V lies in memory; queries, scores and sums are f32 always:
//   KV_F32  as it is
//   KV_F16  rounded to nearest, ties to even, when stored (beyond 65504: infinity); widened exactly when read
//   KV_S8   per token and head one f32 scale for K and one for V, by the rule of quantize_row_s8 over that head's
//           head_dim elements (a NaN is 0, an infinity the largest float); the integer is converted exactly when read,
//           and the scale goes into the score or the weight, once for each key:
//             score_j = (scale * (sum over d of q[d] * (float)K[j][d])) * k_scale_j
//             y[d] = (sum over j of (p_j * v_scale_j) * (float)V[j][d]) * (1 / sum16(p))
//
// A token's K and V of one head take kv_head_bytes, in two layouts:
//   row    [k_scale, v_scale: f32, KV_S8 only] K [head_dim] V [head_dim]; a slot is all heads of a token, one behind
//          the other
//   block  16 tokens of one head: [k_scales [16], v_scales [16]: f32, KV_S8 only] K transposed [head_dim][16],
//          V [16][head_dim]; a page is all heads' blocks of 16 tokens, one behind the other
// Both need 4-byte alignment.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KV_BLOCK_TOKENS = 16 }; // tokens in a page of the K/V pool

typedef enum KvKind { KV_F32, KV_F16, KV_S8, KV_KIND_COUNT } KvKind;

// "f32", "f16", "int8", as --kv-type has them.
const char *kv_kind_name(KvKind kind);
bool kv_kind_from_name(const char *name, KvKind *ret);

static inline size_t kv_element_bytes(KvKind kind) {
    return kind == KV_F32 ? 4 : kind == KV_F16 ? 2 : 1;
}

// Bytes of the scales at the head of one head's row; a block has 16 times as many.
static inline size_t kv_scale_bytes(KvKind kind) {
    return kind == KV_S8 ? 2 * sizeof(float) : 0;
}

// A multiple of 4. Heads of a slot are this far apart, heads of a page 16 times this.
static inline size_t kv_head_bytes(KvKind kind, size_t head_dim) {
    return (kv_scale_bytes(kind) + 2 * head_dim * kv_element_bytes(kind) + 3) / 4 * 4;
}

// Attention of `queries` rows over keys > 0 held in blocks (source self-attention and cross-attention):
//   score_j = scale * (fma chain over d of q[d] K[d][j]);  p_j = exp(score_j - max);  y[d] = (fma chain over j of p_j
//   V[j][d]) * (1 / sum16(p))
// Any number of queries of one head, or up to ATTENTION_QUERY_ROWS of several neighbouring heads, whose blocks lie one
// behind the other and are read in that order: few queries are bound by memory, and memory likes long runs.
// Memory beyond the arguments: `scratch`, ATTENTION_QUERY_ROWS * (keys rounded up to 16) floats; never queries x keys.
typedef struct AttentionBlocks {
    KvKind kind;
    size_t heads, queries, keys, head_dim; // heads 1, or heads * queries <= ATTENTION_QUERY_ROWS
    float scale;
    const float *q; // [queries, heads * head_dim], rows q_stride apart
    size_t q_stride;
    const void *base;      // block b of the first head starts at base + blocks[b] * block_bytes
    const int32_t *blocks; // [ceil(keys / 16)]
    size_t block_bytes;
    float *y; // [queries, heads * head_dim], rows y_stride apart
    size_t y_stride;
    float *scratch;
} AttentionBlocks;

enum { ATTENTION_QUERY_ROWS = 16 };

// Attention of one query over keys > 0 held as rows in any order (the decoder's own past, one list of slots per beam),
// for one to ATTENTION_QUERY_ROWS neighbouring heads, so that a slot is read in one go:
//   score_j = scale * dot16(q, k_j), the 16-lane sum of products by fma; the rest as above, head by head.
typedef struct AttentionRows {
    KvKind kind;
    size_t heads, keys, head_dim;
    float scale;
    const float *q;       // [heads, head_dim]
    const void *base;     // the first head's row of key j starts at base + slots[j] * slot_bytes
    const int32_t *slots; // [keys]
    size_t slot_bytes;
    float *y;       // [heads, head_dim]
    float *scratch; // heads * (keys rounded up to 16) floats
} AttentionRows;

// Attention of one head of a source to itself in integers: queries and keys are s8 with a scale for each token, values
// s8 with a scale for each dimension, all by the rule of quantize_row_s8 (over head_dim; values over the keys); what
// softmax makes of the scores is 0 to 255, rounded by a threshold that differs from key to key, so that many small ones
// do not all vanish:
//   s_j = (float)(sum over d of q[d] * k[j][d]) * k_scale_j
//   w_j = weight_u8((s_j - max) * ((scale * log2 e) * q_scale), weight_below[j % 16]), kernel/ref/math.h
//   y[d] = (float)(sum over j of w_j * v[j][d]) * (v_scale[d] * (1 / (float)(sum over j of w_j)))
// The sums are exact: those of so many keys stay within 2^31 and, of weights, 2^24.
typedef struct AttentionS8 {
    size_t queries, keys, head_dim; // keys 1 .. ATTENTION_S8_KEYS, head_dim 1 .. ATTENTION_S8_DIMS
    float scale;                    // above 0
    const float *q, *k, *v;         // [queries, head_dim], [keys, head_dim] twice, rows their strides apart
    size_t q_stride, k_stride, v_stride;
    float *y; // [queries, head_dim]; may not overlap the others
    size_t y_stride;
    void *scratch; // attention_s8_bytes, 4-byte aligned
} AttentionS8;

enum { ATTENTION_S8_KEYS = 65536, ATTENTION_S8_DIMS = 1024 };

static inline size_t attention_s8_bytes(size_t keys, size_t head_dim) {
    size_t k = (keys + 15) / 16 * 16, d = (head_dim + 15) / 16 * 16;
    return (k * (2 * d + ATTENTION_QUERY_ROWS + 2) + (6 * ATTENTION_QUERY_ROWS + 3) * d) * sizeof(float);
}

// Storing `tokens` rows of K and V as blocks: token t goes to place t % 16 of page blocks[t / 16]; places of the last
// block beyond the last token become zeros.
typedef struct KvStore {
    KvKind kind;
    size_t tokens, heads, head_dim;
    const float *k, *v; // [tokens, heads * head_dim], rows k_stride and v_stride apart
    size_t k_stride, v_stride;
    void *base;            // page p starts at base + p * block_bytes
    const int32_t *blocks; // [ceil(tokens / 16)]
    size_t block_bytes;
} KvStore;
