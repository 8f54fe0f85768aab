// SPDX-License-Identifier: Apache-2.0
// Matrix products, the definition: for each row and panel of 16 columns, one chain of fused multiply-adds per column.
// Panels: 16-bit and f32 weights [k][16]; s8 weights behind 16
// scales, [k][16]; 4-bit codes one to a byte [k][16] behind the scales [k / group][16].
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

static size_t panel_bytes_f32(size_t k, size_t group) {
    (void)group;
    return k * NR * sizeof(float);
}

static size_t panel_bytes_16(size_t k, size_t group) {
    (void)group;
    return (k * NR * sizeof(uint16_t) + 63) / 64 * 64;
}

static size_t panel_bytes_s8(size_t k, size_t group) {
    (void)group;
    return NR * sizeof(float) + (k * NR + 63) / 64 * 64;
}

static size_t panel_bytes_q4(size_t k, size_t group) {
    return k / group * NR * sizeof(float) + (k * NR + 63) / 64 * 64;
}

// Elements of `bytes` bytes [k][NR], missing columns zero.
static void pack_elements(const GemmRows *rows, size_t bytes, unsigned char *ret_to) {
    for (size_t i = 0; i < rows->k; i++)
        for (size_t c = 0; c < NR; c++, ret_to += bytes)
            if (c < rows->columns)
                memcpy(ret_to, (const unsigned char *)rows->weights + (c * rows->stride + i) * bytes, bytes);
            else
                memset(ret_to, 0, bytes);
}

static void pack_f32(const GemmRows *rows, void *panel) {
    pack_elements(rows, sizeof(float), panel);
}

static void pack_16(const GemmRows *rows, void *panel) {
    pack_elements(rows, sizeof(uint16_t), panel);
}

// Scales [groups][NR], then the elements.
static void pack_scaled(const GemmRows *rows, void *panel) {
    float *scales = panel;
    size_t groups = rows->group ? rows->k / rows->group : 1;
    for (size_t g = 0; g < groups; g++)
        for (size_t c = 0; c < NR; c++)
            *scales++ = c < rows->columns ? rows->scales[c * groups + g] : 0.0f;
    pack_elements(rows, 1, (unsigned char *)scales);
}

static void run_f32(const GemmTile *tile) {
    run_float(tile, WEIGHT_F32, panel_bytes_f32(tile->k, 0));
}

static void run_f16(const GemmTile *tile) {
    run_float(tile, WEIGHT_F16, panel_bytes_16(tile->k, 0));
}

static void run_bf16(const GemmTile *tile) {
    run_float(tile, WEIGHT_BF16, panel_bytes_16(tile->k, 0));
}

// What zero points add to a row's sums; false where these are the result.
static bool finish_sums(const GemmTile *tile, size_t row, size_t column, size_t columns, int32_t *sums) {
    for (size_t i = 0; i < columns; i++) {
        uint32_t sum = (uint32_t)sums[i];
        if (tile->column_sums)
            sum += (uint32_t)tile->column_sums[column + i];
        if (tile->row_factors)
            sum += (uint32_t)tile->row_factors[row] * (uint32_t)tile->column_factors[column + i];
        sums[i] = (int32_t)sum;
    }
    if (tile->sums)
        memcpy(tile->sums + row * tile->y_stride + column, sums, columns * sizeof *sums);
    return !tile->sums;
}

static void run_s8(const GemmTile *tile) {
    for (size_t column = 0; column < tile->columns; column += NR) {
        size_t columns = tile->columns - column < NR ? tile->columns - column : NR;
        const void *first = (const char *)tile->panels + column / NR * panel_bytes_s8(tile->k, 0);
        const float *scales = first;
        const int8_t *panel = (const int8_t *)(scales + NR);
        for (size_t row = 0; row < tile->rows; row++) {
            const int8_t *x = (const int8_t *)tile->x + row * tile->x_stride;
            int32_t sums[NR] = {0};
            for (size_t k = 0; k < tile->k; k++)
                for (size_t i = 0; i < NR; i++)
                    sums[i] += x[k] * panel[k * NR + i];
            if (!finish_sums(tile, row, column, columns, sums))
                continue;
            float values[NR];
            for (size_t i = 0; i < columns; i++)
                values[i] =
                    fmaf((float)sums[i], tile->x_scales[row] * scales[i], tile->bias ? tile->bias[column + i] : 0.0f);
            finish_row(tile, row, column, columns, values);
        }
    }
}

static void run_q4(const GemmTile *tile) {
    size_t groups = tile->k / tile->group;
    for (size_t column = 0; column < tile->columns; column += NR) {
        size_t columns = tile->columns - column < NR ? tile->columns - column : NR;
        const float *scales =
            (const void *)((const char *)tile->panels + column / NR * panel_bytes_q4(tile->k, tile->group));
        const uint8_t *panel = (const uint8_t *)(scales + groups * NR);
        for (size_t row = 0; row < tile->rows; row++) {
            const int8_t *x = (const int8_t *)tile->x + row * tile->x_stride;
            float values[NR];
            for (size_t i = 0; i < columns; i++) {
                float sum = 0;
                for (size_t g = 0; g < groups; g++) {
                    int32_t part = 0;
                    for (size_t k = g * tile->group; k < (g + 1) * tile->group; k++)
                        part += x[k] * tile->codes[panel[k * NR + i]];
                    sum = fmaf((float)part, scales[g * NR + i], sum);
                }
                values[i] = fmaf(sum, tile->x_scales[row], tile->bias ? tile->bias[column + i] : 0.0f);
            }
            finish_row(tile, row, column, columns, values);
        }
    }
}

const GemmKernel ref_gemm[WEIGHT_KIND_COUNT] = {
    [WEIGHT_F32] = {"ref f32 1x16", 1, NR, panel_bytes_f32, pack_f32, run_f32},
    [WEIGHT_F16] = {"ref f16 1x16", 1, NR, panel_bytes_16, pack_16, run_f16},
    [WEIGHT_BF16] = {"ref bf16 1x16", 1, NR, panel_bytes_16, pack_16, run_bf16},
    [WEIGHT_S8] = {"ref s8 1x16", 1, NR, panel_bytes_s8, pack_scaled, run_s8},
    [WEIGHT_Q4] = {"ref q4 1x16", 1, NR, panel_bytes_q4, pack_scaled, run_q4},
};
