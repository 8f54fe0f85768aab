// SPDX-License-Identifier: Apache-2.0
// Element-by-element kernels, the definition: activations, sums, scaling, embedding rows.
#include "kernel/ref/math.h"
#include "kernel/ref/ref.h"

float ref_activate(Activation activation, float x) {
    switch (activation) {
    case ACTIVATION_RELU:
        return 0.0f > x ? 0.0f : x; // NaN stays
    case ACTIVATION_GELU:
        return 0.5f * x * (1.0f + math_erf(x * SQRT_1_2));
    case ACTIVATION_GELU_TANH:
        return 0.5f * x * (1.0f + math_tanh(x * fmaf(SQRT_2_PI_CUBE, x * x, SQRT_2_PI)));
    case ACTIVATION_SILU:
        return x / (1.0f + math_exp(-x));
    case ACTIVATION_TANH:
        return math_tanh(x);
    default:
        return x;
    }
}

void ref_activate_many(Activation activation, const float *x, size_t n, float *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = ref_activate(activation, x[i]);
}

void ref_add(const float *a, const float *b, size_t n, float *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = a[i] + b[i];
}

void ref_scale(const float *x, float factor, size_t n, float *y) {
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * factor;
}

void ref_gather_row(WeightKind kind, const void *table, const float *row_scales, size_t index, size_t n, float factor,
                    float *y) {
    for (size_t i = 0; i < n; i++) {
        size_t at = index * n + i;
        switch (kind) {
        case WEIGHT_F32:
            y[i] = ((const float *)table)[at];
            break;
        case WEIGHT_F16:
            y[i] = float_from_f16(((const uint16_t *)table)[at]);
            break;
        case WEIGHT_BF16:
            y[i] = float_from_bf16(((const uint16_t *)table)[at]);
            break;
        default:
            y[i] = (float)((const int8_t *)table)[at] * row_scales[index];
        }
        if (factor != 1.0f)
            y[i] *= factor;
    }
}

void ref_gather_codes(const uint8_t *pairs, bool high_first, const float *scales, size_t group, const int8_t *codes,
                      size_t n, float factor, float *y) {
    for (size_t i = 0; i < n; i++) {
        unsigned code = (i % 2 == 0) == high_first ? pairs[i / 2] >> 4 : pairs[i / 2] & 15;
        y[i] = (float)codes[code] * scales[i / group];
        if (factor != 1.0f)
            y[i] *= factor;
    }
}
