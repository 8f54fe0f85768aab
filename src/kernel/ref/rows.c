// SPDX-License-Identifier: Apache-2.0
// Kernels over one row, the definition: quantizing, layer norm, softmax, argmax. Every reduction runs over 16 lanes.
#include <float.h>

#include "kernel/ref/math.h"
#include "kernel/ref/ref.h"

// A NaN becomes 0, an infinity the largest float.
static float finite_value(float x) {
    if (!(fabsf(x) <= FLT_MAX))
        return x > 0.0f ? FLT_MAX : x < 0.0f ? -FLT_MAX : 0.0f;
    return x;
}

float ref_scale_s8(const float *x, size_t n, float *ret_factor) {
    float largest = 0.0f;
    for (size_t i = 0; i < n; i++)
        if (fabsf(finite_value(x[i])) > largest)
            largest = fabsf(finite_value(x[i]));
    bool zero = largest < QUANTIZE_LEAST;
    *ret_factor = zero ? 0.0f : 127.0f / largest;
    return zero ? 0.0f : largest / 127.0f;
}

int8_t ref_quantize_s8(float x, float factor) {
    return (int8_t)(finite_value(x) * factor + ROUND_MAGIC - ROUND_MAGIC); // |x| * factor < 127.5: no clamp is needed
}

void ref_quantize_row_s8(const float *x, size_t k, int8_t *ret_q, float *ret_scale) {
    float factor, scale = ref_scale_s8(x, k, &factor);
    for (size_t i = 0; i < k; i++)
        ret_q[i] = ref_quantize_s8(x[i], factor);
    memset(ret_q + k, 0, gemm_s8_stride(k) - k);
    *ret_scale = scale;
}

void ref_quantize_row_s8_by(const float *x, const float *factors, size_t k, int8_t *ret_q) {
    for (size_t i = 0; i < k; i++) {
        float scaled = finite_value(x[i]) * factors[i];
        scaled = scaled < 127.0f ? scaled : 127.0f;
        scaled = scaled > -127.0f ? scaled : -127.0f;
        ret_q[i] = (int8_t)(scaled + ROUND_MAGIC - ROUND_MAGIC);
    }
    memset(ret_q + k, 0, gemm_s8_stride(k) - k);
}

void ref_range(const float *x, size_t n, float *ret_least, float *ret_most) {
    *ret_least = *ret_most = 0;
    for (size_t i = 0; i < n; i++) {
        *ret_least = x[i] < *ret_least ? x[i] : *ret_least;
        *ret_most = x[i] > *ret_most ? x[i] : *ret_most;
    }
}

// Clamping may come before rounding, since the bounds are whole numbers.
void ref_quantize_u8(const float *x, size_t n, float scale, uint8_t zero, uint8_t flip, uint8_t *ret_q) {
    float least = 0.0f - (float)zero, most = 255.0f - (float)zero;
    for (size_t i = 0; i < n; i++) {
        float value = x[i] / scale;
        value = value > least ? value : least; // NaN ends here
        value = value < most ? value : most;
        ret_q[i] = (uint8_t)((uint8_t)(int)(value + ROUND_MAGIC - ROUND_MAGIC + (float)zero) ^ flip);
    }
}

void ref_layer_norm(const float *x, const float *residual, const float *gain, const float *bias, float epsilon,
                    size_t n, float *ret_sum, float *y) {
    float lanes[16] = {0};
    for (size_t i = 0; i < n; i++) {
        float value = residual ? x[i] + residual[i] : x[i];
        if (ret_sum)
            ret_sum[i] = value;
        y[i] = value;
        lanes[i % 16] += value;
    }
    float mean = fold_sum(lanes) / (float)n;
    memset(lanes, 0, sizeof lanes);
    for (size_t i = 0; i < n; i++)
        lanes[i % 16] = fmaf(y[i] - mean, y[i] - mean, lanes[i % 16]);
    float rstd = 1.0f / sqrtf(fold_sum(lanes) / (float)n + epsilon);
    for (size_t i = 0; i < n; i++) {
        float normal = (y[i] - mean) * rstd;
        y[i] = bias ? fmaf(normal, gain[i], bias[i]) : normal * gain[i];
    }
}

static float row_max(const float *x, size_t n) {
    float lanes[16];
    for (size_t i = 0; i < 16; i++)
        lanes[i] = -INFINITY;
    for (size_t i = 0; i < n; i++)
        lanes[i % 16] = x[i] > lanes[i % 16] ? x[i] : lanes[i % 16];
    return fold_max(lanes);
}

void ref_log_normalizer(const float *x, size_t n, LogNormalizer *ret) {
    float max = row_max(x, n);
    float lanes[16] = {0};
    for (size_t i = 0; i < n; i++)
        lanes[i % 16] += math_exp(x[i] - max);
    *ret = (LogNormalizer){max, math_log(fold_sum(lanes))};
}

void ref_log_softmax(const float *x, size_t n, float *y) {
    LogNormalizer normalizer;
    ref_log_normalizer(x, n, &normalizer);
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] - normalizer.max - normalizer.log_sum;
}

size_t ref_top_log_softmax(const float *x, size_t n, LogNormalizer normalizer, float offset, size_t most,
                           float *ret_values, int32_t *ret_indices) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        float value = x[i] - normalizer.max - normalizer.log_sum + offset;
        size_t place = count < most ? count++ : most;
        for (; place > 0 && value > ret_values[place - 1]; place--)
            if (place < most) {
                ret_values[place] = ret_values[place - 1];
                ret_indices[place] = ret_indices[place - 1];
            }
        if (place < most) {
            ret_values[place] = value;
            ret_indices[place] = (int32_t)i;
        }
    }
    return count;
}

void ref_softmax(const float *x, size_t n, float *y) {
    float max = row_max(x, n);
    float lanes[16] = {0};
    for (size_t i = 0; i < n; i++) {
        y[i] = math_exp(x[i] - max);
        lanes[i % 16] += y[i];
    }
    float factor = 1.0f / fold_sum(lanes);
    for (size_t i = 0; i < n; i++)
        y[i] *= factor;
}

size_t ref_argmax(const float *x, size_t n) {
    size_t best = 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(x[i]))
            return i;
        if (x[i] > x[best])
            best = i;
    }
    return best;
}
