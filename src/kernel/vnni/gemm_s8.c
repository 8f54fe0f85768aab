// SPDX-License-Identifier: Apache-2.0
// Products with s8 weights on VNNI: VPDPBUSD adds four u8 * s8 products into 32 bits. The weights are the unsigned
// side, held as w + 128, and the activations are broadcast as they are; 128 * sum(activations) of the row is taken off
// again, all exact in wrapping 32 bits. Panels: 32 scales, then [k / 4][32][4].
#include "kernel/avx512/v16.inc"

#include "kernel/sets.h"
#include "kernel/simd/gemm.inc"

// acc + four u8 * s8 products in each of 16 lanes. In assembly because GCC 12 moves every sum to another register and
// back around the intrinsic, spilling them: 550 against 870 Gop/s.
INLINE I16 i16_dot_four(I16 acc, I16 weights, I16 x) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(weights), "v"(x));
    return acc;
}

static size_t vnni_panel_bytes(size_t k, size_t group) {
    (void)group;
    return NR * sizeof(float) + (k + 3) / 4 * 4 * NR;
}

static void vnni_pack(const GemmRows *rows, void *panel) {
    memset(panel, 0, NR * sizeof(float));
    memcpy(panel, rows->scales, rows->columns * sizeof(float));
    uint8_t *to = (uint8_t *)((float *)panel + NR);
    pack_elements(rows, 1, 4, to);
    for (size_t i = 0; i < (rows->k + 3) / 4 * 4 * NR; i++)
        to[i] ^= 0x80;
}

// The sum of a row of s8, padded with zeros to a multiple of 64.
static int32_t row_sum(const int8_t *x, size_t k) {
    I16 sum = i16_zero();
    for (size_t i = 0; i < k; i += 64)
        sum = i16_dot_four(sum, _mm512_set1_epi8(1), _mm512_loadu_si512(x + i));
    return _mm512_reduce_add_epi32(sum);
}

// R rows and P panels are constants where this is inlined.
INLINE void vnni_micro(const GemmTile *tile, const Micro *at, const size_t R, const size_t P) {
    const size_t C = P * GEMM_NV;
    size_t bytes = vnni_panel_bytes(tile->k, 0), stride = tile->x_stride;
    const char *weights = (const char *)tile->panels + at->panel * bytes + NR * sizeof(float);
    const int8_t *x = (const int8_t *)tile->x + at->row * stride;
    I16 sums[MAX_VECTORS];
    const char *ahead = at->ahead;
    UNROLL(12)
    for (size_t r = 0; r < R; r++) {
        I16 start = i16_set1(at->starts[r]);
        UNROLL(16)
        for (size_t c = 0; c < C; c++)
            sums[r * C + c] = start;
    }
    for (size_t k = 0; k < tile->k; k += 4) {
        I16 w[MAX_VECTORS];
        UNROLL(16)
        for (size_t c = 0; c < C; c++)
            w[c] = _mm512_loadu_si512(weights + c / GEMM_NV * bytes + k * NR + c % GEMM_NV * 64);
        fetch_ahead(ahead, 4 * NR);
        ahead += at->ahead_bytes;
        UNROLL(12)
        for (size_t r = 0; r < R; r++) {
            int32_t four;
            memcpy(&four, x + r * stride + k, sizeof four);
            I16 a = i16_set1(four);
            UNROLL(16)
            for (size_t c = 0; c < C; c++)
                sums[r * C + c] = i16_dot_four(sums[r * C + c], w[c], a);
        }
    }
    float values[MAX_VECTORS * 16];
    UNROLL(32)
    for (size_t i = 0; i < R * C; i++)
        v16_store(values + i * 16, i16_to_float(sums[i]));
    scale_micro(tile, at, bytes, values);
}

static void vnni_dispatch(const GemmTile *tile, const Micro *at) {
#define MICRO(tile, at, R, P) vnni_micro(tile, at, R, P)
    switch (at->rows * 8 + at->panels) {
        MICRO_SHAPES(MICRO_CASE)
    default:
        assert(false);
    }
}

static void vnni_run(const GemmTile *tile) {
    PanelWalk walk = {vnni_panel_bytes(tile->k, 0), (tile->k + 3) / 4, true};
    size_t chunk = rows_in_chunk(tile->k);
    for (size_t row = 0; row < tile->rows; row += chunk) {
        int32_t starts[CHUNK_ROWS];
        size_t rows = tile->rows - row < chunk ? tile->rows - row : chunk;
        for (size_t r = 0; r < rows; r++)
            starts[r] = -128 * row_sum((const int8_t *)tile->x + (row + r) * tile->x_stride, tile->k);
        walk_panels(tile, row, rows, walk, starts, vnni_dispatch);
    }
}

const GemmKernel vnni_gemm_s8 = {"vnni s8 12x32", GEMM_MR, NR, vnni_panel_bytes, vnni_pack, vnni_run};

void kernels_fill_vnni(Kernels *kernels) {
    kernels->level = CPU_VNNI;
    kernels->gemm[WEIGHT_S8] = vnni_gemm_s8;
    kernels->gemm[WEIGHT_Q4] = vnni_gemm_q4;
}
