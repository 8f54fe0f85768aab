// SPDX-License-Identifier: Apache-2.0
// Attention over stored keys and values (kernel/kernels.h tells what all kernels keep).
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { KV_BLOCK_TOKENS = 16 }; // tokens in a page of the K/V pool

// Attention of `queries` rows of one head over keys > 0 held in blocks of 16 tokens (source self-attention and
// cross-attention): a block holds K transposed [head_dim][16] and, `v_offset` floats later, V [16][head_dim].
//   score_j = scale * (fma chain over d of q[d] K[d][j]);  p_j = exp(score_j - max);  y[d] = (fma chain over j of p_j
//   V[j][d]) * (1 / sum16(p))
// Memory beyond the arguments: `scratch`, ATTENTION_QUERY_ROWS * (keys rounded up to 16) floats; never queries x keys.
typedef struct AttentionBlocks {
    size_t queries, keys, head_dim;
    float scale;
    const float *q; // [queries, head_dim], rows q_stride apart
    size_t q_stride;
    const float *base;     // block b of this head starts at base + blocks[b] * block_stride
    const int32_t *blocks; // [ceil(keys / 16)]
    size_t block_stride, v_offset;
    float *y; // [queries, head_dim], rows y_stride apart
    size_t y_stride;
    float *scratch;
} AttentionBlocks;

enum { ATTENTION_QUERY_ROWS = 16 };

// Attention of one query over keys > 0 held as rows in any order (the decoder's own past, one list of slots per beam):
//   score_j = scale * dot16(q, k_j), the 16-lane sum of products by fma; the rest as above.
typedef struct AttentionRows {
    size_t keys, head_dim;
    float scale;
    const float *q;       // [head_dim]
    const float *base;    // key j starts at base + slots[j] * slot_stride; its value v_offset floats later
    const int32_t *slots; // [keys]
    size_t slot_stride, v_offset;
    float *y;       // [head_dim]
    float *scratch; // keys rounded up to 16 floats
} AttentionRows;
