// SPDX-License-Identifier: Apache-2.0
// Matrix products, the definition: for each row and panel of 16 columns, one chain of fused multiply-adds per column.
// Panels: 16-bit and f32 weights [k][16]; s8 weights behind 16 scales, [k][16].
#include "kernel/ref/math.h"
#include "kernel/ref/ref.h"

enum { NR = 16 };

static float weight_value(WeightKind kind, const void *weights, size_t index) {
    switch (kind) {
    case WEIGHT_F32:
        return ((const float *)weights)[index];
    case WEIGHT_F16:
        return float_from_f16(((const uint16_t *)weights)[index]);
    default:
        return float_from_bf16(((const uint16_t *)weights)[index]);
    }
}

static void finish_row(const GemmTile *tile, size_t row, size_t column, size_t columns, const float *sums) {
    float *y = tile->y + row * tile->y_stride + column;
    for (size_t i = 0; i < columns; i++) {
        float value = ref_activate(tile->activation, sums[i]);
        if (tile->residual)
            value += tile->residual[row * tile->residual_stride + column + i];
        y[i] = value;
    }
}

static void run_float(const GemmTile *tile, WeightKind kind, size_t panel_bytes) {
    for (size_t column = 0; column < tile->columns; column += NR) {
        size_t columns = tile->columns - column < NR ? tile->columns - column : NR;
        const void *panel = (const char *)tile->panels + column / NR * panel_bytes;
        for (size_t row = 0; row < tile->rows; row++) {
            const float *x = (const float *)tile->x + row * tile->x_stride;
            float sums[NR] = {0};
            for (size_t k = 0; k < tile->k; k++)
                for (size_t i = 0; i < NR; i++)
                    sums[i] = fmaf(x[k], weight_value(kind, panel, k * NR + i), sums[i]);
            for (size_t i = 0; i < columns && tile->bias; i++)
                sums[i] += tile->bias[column + i];
            finish_row(tile, row, column, columns, sums);
        }
    }
}

static size_t panel_bytes_f32(size_t k) {
    return k * NR * sizeof(float);
}

static size_t panel_bytes_16(size_t k) {
    return (k * NR * sizeof(uint16_t) + 63) / 64 * 64;
}

static size_t panel_bytes_s8(size_t k) {
    return NR * sizeof(float) + (k * NR + 63) / 64 * 64;
}

static void pack_f32(const void *weights, size_t stride, const float *scales, size_t columns, size_t k, void *panel) {
    (void)scales;
    float *to = panel;
    for (size_t i = 0; i < k; i++)
        for (size_t c = 0; c < NR; c++)
            to[i * NR + c] = c < columns ? ((const float *)weights)[c * stride + i] : 0.0f;
}

static void pack_16(const void *weights, size_t stride, const float *scales, size_t columns, size_t k, void *panel) {
    (void)scales;
    uint16_t *to = panel;
    for (size_t i = 0; i < k; i++)
        for (size_t c = 0; c < NR; c++)
            to[i * NR + c] = c < columns ? ((const uint16_t *)weights)[c * stride + i] : 0;
}

static void pack_s8(const void *weights, size_t stride, const float *scales, size_t columns, size_t k, void *panel) {
    float *panel_scales = panel;
    int8_t *to = (int8_t *)(panel_scales + NR);
    for (size_t c = 0; c < NR; c++)
        panel_scales[c] = c < columns ? scales[c] : 0.0f;
    for (size_t i = 0; i < k; i++)
        for (size_t c = 0; c < NR; c++)
            to[i * NR + c] = c < columns ? ((const int8_t *)weights)[c * stride + i] : 0;
}

static void run_f32(const GemmTile *tile) {
    run_float(tile, WEIGHT_F32, panel_bytes_f32(tile->k));
}

static void run_f16(const GemmTile *tile) {
    run_float(tile, WEIGHT_F16, panel_bytes_16(tile->k));
}

static void run_bf16(const GemmTile *tile) {
    run_float(tile, WEIGHT_BF16, panel_bytes_16(tile->k));
}

static void run_s8(const GemmTile *tile) {
    for (size_t column = 0; column < tile->columns; column += NR) {
        size_t columns = tile->columns - column < NR ? tile->columns - column : NR;
        const void *first = (const char *)tile->panels + column / NR * panel_bytes_s8(tile->k);
        const float *scales = first;
        const int8_t *panel = (const int8_t *)(scales + NR);
        for (size_t row = 0; row < tile->rows; row++) {
            const int8_t *x = (const int8_t *)tile->x + row * tile->x_stride;
            int32_t sums[NR] = {0};
            for (size_t k = 0; k < tile->k; k++)
                for (size_t i = 0; i < NR; i++)
                    sums[i] += x[k] * panel[k * NR + i];
            float values[NR];
            for (size_t i = 0; i < columns; i++)
                values[i] =
                    fmaf((float)sums[i], tile->x_scales[row] * scales[i], tile->bias ? tile->bias[column + i] : 0.0f);
            finish_row(tile, row, column, columns, values);
        }
    }
}

const GemmKernel ref_gemm[WEIGHT_KIND_COUNT] = {
    [WEIGHT_F32] = {"ref f32 1x16", 1, NR, panel_bytes_f32, pack_f32, run_f32},
    [WEIGHT_F16] = {"ref f16 1x16", 1, NR, panel_bytes_16, pack_16, run_f16},
    [WEIGHT_BF16] = {"ref bf16 1x16", 1, NR, panel_bytes_16, pack_16, run_bf16},
    [WEIGHT_S8] = {"ref s8 1x16", 1, NR, panel_bytes_s8, pack_s8, run_s8},
};
