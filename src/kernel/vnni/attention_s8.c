// SPDX-License-Identifier: Apache-2.0
// Attention in integers by VPDPBUSD, on AVX-512's vectors: scores four dimensions at a time, values four keys. Keys are
// the unsigned side, held as k + 128; 128 * sum(q) is taken off again.
#include "kernel/avx512/v16.inc"

#include "kernel/sets.h"
#include "kernel/simd/math.inc"

// GROUP queries go through all keys together, TILE_ROWS of them in registers with as many vectors.
enum { GROUP = 12, TILE_ROWS = 6, TILE_VECTORS = 4 };

// One head in the scratch. Keys past the last, and dimensions, are zeros.
typedef struct Packed {
    uint8_t *k;                 // [stride / 16][dims / 4][16][4]
    int8_t *v;                  // [stride / 4][dims][4]
    float *k_scales, *v_scales; // [stride], [dims]
    float *scores;              // [GROUP][stride]; then weights as u8, in the first quarter of each row
    int8_t *q;                  // [GROUP][dims]
    int32_t *starts;            // [GROUP] -128 * sum(q)
    size_t stride, dims;        // keys and head_dim rounded up to 16
} Packed;

static Packed packed_head(const AttentionS8 *args) {
    Packed head = {.stride = (args->keys + 15) / 16 * 16, .dims = (args->head_dim + 15) / 16 * 16};
    head.k_scales = args->scratch;
    head.v_scales = head.k_scales + head.stride;
    head.scores = head.v_scales + head.dims;
    head.starts = (int32_t *)(void *)(head.scores + GROUP * head.stride);
    head.k = (uint8_t *)(head.starts + GROUP);
    head.v = (int8_t *)(head.k + head.stride * head.dims);
    head.q = head.v + head.stride * head.dims;
    return head;
}

INLINE V16 scaled(const float *x, size_t n, V16 factor) {
    return v16_mul(v16_finite(v16_load_part(x, n)), factor);
}

// Up to 64 dimensions from `d` on of `count` tokens, turned as 16 by 16 of four bytes each.
static void pack_keys(const AttentionS8 *args, const Packed *head, size_t first, size_t count, size_t d,
                      const float *factors) {
    _Alignas(64) int8_t rows[16][64];
    V16 fours[16];
    memset(rows, 0, sizeof rows);
    for (size_t t = 0; t < count; t++)
        for (size_t i = 0; i < 64 && d + i < args->head_dim; i += 16) {
            size_t left = args->head_dim - d - i;
            v16_store_s8(rows[t] + i, scaled(args->k + (first + t) * args->k_stride + d + i, left < 16 ? left : 16,
                                             v16_set1(factors[t])));
        }
    UNROLL(16)
    for (size_t t = 0; t < 16; t++)
        fours[t] = _mm512_castsi512_ps(i16_load(rows[t]));
    v16_transpose(fours);
    uint8_t *to = head->k + first * head->dims + d * 16;
    __m512i offset = _mm512_set1_epi8(-128);
    for (size_t i = 0; i < 16 && d + 4 * i < head->dims; i++)
        i16_store(to + i * 64, _mm512_xor_si512(_mm512_castps_si512(fours[i]), offset));
}

// Values of dimensions [d, d + n), n <= 16: their scales over all keys, then fours of keys.
static void pack_values(const AttentionS8 *args, const Packed *head, size_t d, size_t n) {
    const float *v = args->v + d;
    V16 factor;
    v16_store(head->v_scales + d, v16_column_scales_s8(v, args->keys, args->v_stride, n, &factor));
    for (size_t j = 0; j < head->stride; j += 4) {
        _Alignas(16) int8_t rows[4][16] = {0};
        __m128i four[4];
        for (size_t t = 0; t < 4 && j + t < args->keys; t++)
            v16_store_s8(rows[t], scaled(v + (j + t) * args->v_stride, n, factor));
        UNROLL(4)
        for (size_t t = 0; t < 4; t++)
            four[t] = _mm_load_si128((const __m128i *)rows[t]);
        __m128i low[2] = {_mm_unpacklo_epi8(four[0], four[1]), _mm_unpacklo_epi8(four[2], four[3])};
        __m128i high[2] = {_mm_unpackhi_epi8(four[0], four[1]), _mm_unpackhi_epi8(four[2], four[3])};
        __m128i_u *to = (__m128i_u *)(void *)(head->v + j * head->dims + d * 4);
        _mm_storeu_si128(to, _mm_unpacklo_epi16(low[0], low[1]));
        _mm_storeu_si128(to + 1, _mm_unpackhi_epi16(low[0], low[1]));
        _mm_storeu_si128(to + 2, _mm_unpacklo_epi16(high[0], high[1]));
        _mm_storeu_si128(to + 3, _mm_unpackhi_epi16(high[0], high[1]));
    }
}

static void pack_head(const AttentionS8 *args, const Packed *head) {
    for (size_t j = 0; j < head->stride; j += 16) {
        size_t count = args->keys - j < 16 ? args->keys - j : 16;
        float factors[16];
        for (size_t t = 0; t < 16; t++)
            head->k_scales[j + t] =
                t < count ? v16_scale_s8(args->k + (j + t) * args->k_stride, args->head_dim, &factors[t]) : 0.0f;
        for (size_t d = 0; d < args->head_dim; d += 64)
            pack_keys(args, head, j, count, d, factors);
    }
    for (size_t d = 0; d < args->head_dim; d += 16)
        pack_values(args, head, d, args->head_dim - d < 16 ? args->head_dim - d : 16);
}

// Query `row` of the group; returns what its scores are multiplied with.
static float pack_query(const AttentionS8 *args, const Packed *head, const float *q, size_t row) {
    float factor, scale = v16_scale_s8(q, args->head_dim, &factor);
    int8_t *to = head->q + row * head->dims;
    int32_t sum = 0;
    for (size_t d = 0; d < args->head_dim; d += 16) {
        size_t left = args->head_dim - d;
        v16_store_s8(to + d, scaled(q + d, left < 16 ? left : 16, v16_set1(factor)));
        sum += _mm512_reduce_add_epi32(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i_u *)(to + d))));
    }
    head->starts[row] = -128 * sum;
    return args->scale * LOG2_E * scale;
}

// In assembly for the reason given in vnni/gemm_s8.c.
INLINE I16 dot_fours(I16 acc, I16 u8, I16 s8) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(u8), "v"(s8));
    return acc;
}

// Scores of R queries from `row` with B blocks of keys from `block`.
INLINE void score_tile(const Packed *head, size_t row, size_t block, const size_t R, const size_t B) {
    const int8_t *q = head->q + row * head->dims;
    const uint8_t *k = head->k + block * 16 * head->dims;
    I16 sums[TILE_ROWS * TILE_VECTORS];
    UNROLL(6)
    for (size_t r = 0; r < R; r++) {
        UNROLL(4)
        for (size_t b = 0; b < B; b++)
            sums[r * B + b] = i16_set1(head->starts[row + r]);
    }
    for (size_t d = 0; d < head->dims; d += 4) {
        I16 keys[TILE_VECTORS];
        UNROLL(4)
        for (size_t b = 0; b < B; b++)
            keys[b] = i16_load(k + (b * head->dims + d) * 16);
        UNROLL(6)
        for (size_t r = 0; r < R; r++) {
            int32_t four;
            memcpy(&four, q + r * head->dims + d, sizeof four);
            UNROLL(4)
            for (size_t b = 0; b < B; b++)
                sums[r * B + b] = dot_fours(sums[r * B + b], keys[b], i16_set1(four));
        }
    }
    UNROLL(4)
    for (size_t b = 0; b < B; b++) {
        V16 scales = v16_load(head->k_scales + (block + b) * 16);
        UNROLL(6)
        for (size_t r = 0; r < R; r++)
            v16_store(head->scores + (row + r) * head->stride + (block + b) * 16,
                      v16_mul(i16_to_float(sums[r * B + b]), scales));
    }
}

INLINE void score_rows(const Packed *head, size_t row, const size_t R) {
    size_t block = 0, blocks = head->stride / 16;
    for (; block + TILE_VECTORS <= blocks; block += TILE_VECTORS)
        score_tile(head, row, block, R, TILE_VECTORS);
    for (; block < blocks; block++)
        score_tile(head, row, block, R, 1);
}

// A row of scores into weights, in place (a weight takes a quarter of the room of a score); returns their sum. Keys
// past the last weigh nothing.
static float weigh_row(const Packed *head, float *scores, size_t keys, float by) {
    V16 lowest = v16_set1(-INFINITY), top = lowest, factor = v16_set1(by);
    I16 sum = i16_zero();
    size_t whole = keys / 16 * 16;
    for (size_t j = 0; j < whole; j += 16)
        top = v16_max(v16_load(scores + j), top);
    if (whole < keys) {
        V16 rest = v16_keep(v16_load(scores + whole), keys - whole, lowest);
        v16_store(scores + whole, rest);
        top = v16_max(rest, top);
    }
    V16 max = v16_set1(v16_fold_max(top)), below = v16_load(weight_below);
    for (size_t j = 0; j < head->stride; j += 16) {
        I16 weight = _mm512_cvtps_epi32(v16_weight_u8(v16_mul(v16_sub(v16_load(scores + j), max), factor), below));
        sum = _mm512_add_epi32(sum, weight);
        _mm_storeu_si128((__m128i_u *)((char *)scores + j), _mm512_cvtepi32_epi8(weight));
    }
    return (float)_mm512_reduce_add_epi32(sum);
}

// Sums of R queries from `row` over all keys, C vectors of dimensions from `d` on, into y.
INLINE void value_tile(const AttentionS8 *args, const Packed *head, size_t row, const float *factors, float *y,
                       size_t d, size_t n, const size_t R, const size_t C) {
    const char *weights = (const char *)(head->scores + row * head->stride);
    I16 sums[TILE_ROWS * TILE_VECTORS];
    UNROLL(24)
    for (size_t i = 0; i < R * C; i++)
        sums[i] = i16_zero();
    for (size_t j = 0; j < args->keys; j += 4) {
        const int8_t *v = head->v + j * head->dims + d * 4;
        I16 values[TILE_VECTORS];
        UNROLL(4)
        for (size_t c = 0; c < C; c++)
            values[c] = i16_load(v + c * 64);
        UNROLL(6)
        for (size_t r = 0; r < R; r++) {
            int32_t four;
            memcpy(&four, weights + r * head->stride * sizeof(float) + j, sizeof four);
            UNROLL(4)
            for (size_t c = 0; c < C; c++)
                sums[r * C + c] = dot_fours(sums[r * C + c], i16_set1(four), values[c]);
        }
    }
    UNROLL(4)
    for (size_t c = 0; c < C; c++) {
        V16 scales = v16_load(head->v_scales + d + c * 16);
        UNROLL(6)
        for (size_t r = 0; r < R; r++)
            v16_store_part(y + (row + r) * args->y_stride + d + c * 16,
                           v16_mul(i16_to_float(sums[r * C + c]), v16_mul(scales, v16_set1(factors[row + r]))),
                           C == 1 ? n : 16);
    }
}

INLINE void value_rows(const AttentionS8 *args, const Packed *head, size_t row, const float *factors, float *y,
                       const size_t R) {
    size_t d = 0, dim = args->head_dim;
    for (; d + TILE_VECTORS * 16 <= dim; d += TILE_VECTORS * 16)
        value_tile(args, head, row, factors, y, d, 16, R, TILE_VECTORS);
    for (; d < dim; d += 16)
        value_tile(args, head, row, factors, y, d, dim - d < 16 ? dim - d : 16, R, 1);
}

static void attend_group(const AttentionS8 *args, const Packed *head, size_t first, size_t rows) {
    float by[GROUP], factors[GROUP], *y = args->y + first * args->y_stride;
    for (size_t r = 0; r < rows; r++)
        by[r] = pack_query(args, head, args->q + (first + r) * args->q_stride, r);
    size_t row = 0;
    for (; row + TILE_ROWS <= rows; row += TILE_ROWS)
        score_rows(head, row, TILE_ROWS);
    for (; row + 2 <= rows; row += 2)
        score_rows(head, row, 2);
    for (; row < rows; row++)
        score_rows(head, row, 1);
    for (size_t r = 0; r < rows; r++)
        factors[r] = 1.0f / weigh_row(head, head->scores + r * head->stride, args->keys, by[r]);
    for (row = 0; row + TILE_ROWS <= rows; row += TILE_ROWS)
        value_rows(args, head, row, factors, y, TILE_ROWS);
    for (; row + 2 <= rows; row += 2)
        value_rows(args, head, row, factors, y, 2);
    for (; row < rows; row++)
        value_rows(args, head, row, factors, y, 1);
}

void vnni_attention_s8(const AttentionS8 *args) {
    Packed head = packed_head(args);
    pack_head(args, &head);
    for (size_t first = 0; first < args->queries; first += GROUP)
        attend_group(args, &head, first, args->queries - first < GROUP ? args->queries - first : GROUP);
}
