// SPDX-License-Identifier: Apache-2.0
// The elementary functions and 16-lane folds of the kernels, as scalar C: the definition that every kernel set repeats
// with the same operations in the same order. Fitted by tools/kernel/fit_math.py; worst errors over every seventh
// float (tests/kernel/test_math.c): exp 1.01 ulp, erf 1.08, tanh 1.33, log 0.85.
// Only +, -, *, /, fmaf, comparisons and bit moves: no step depends on the C library.
#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t float_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float float_from_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// Adding and subtracting 1.5 * 2^23 rounds |x| < 2^22 to a whole number, half to even; the sum's low bits hold it.
#define ROUND_MAGIC 12582912.0f

// exp(x): 0 below the least x whose result is normal (-87.33654), infinity above 88.7228, NaN stays.
// x = n ln2 + r, |r| <= ln2 / 2; exp(r) by a polynomial of degree 6; 2^n in two factors, since 2^128 is no float.
#define EXP_LOWEST (-87.33654f)
#define EXP_HIGHEST 89.0f
#define LOG2_E 0x1.715476p+0f
#define LN2_HIGH 0x1.62e4p-1f // 15 bits: n * LN2_HIGH is exact
#define LN2_LOW 0x1.7f7d1cp-20f
static const float exp_terms[5] = {0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558b4p-5f, 0x1.12399cp-7f, 0x1.6a48fcp-10f};

static inline float math_exp(float x) {
    float clamped = EXP_HIGHEST < x ? EXP_HIGHEST : x;
    float shifted = fmaf(clamped, LOG2_E, ROUND_MAGIC);
    float n = shifted - ROUND_MAGIC;
    float r = fmaf(n, -LN2_HIGH, clamped);
    r = fmaf(n, -LN2_LOW, r);
    float p = exp_terms[4];
    for (int i = 3; i >= 0; i--)
        p = fmaf(p, r, exp_terms[i]);
    p = fmaf(p, r * r, r) + 1.0f;
    int32_t whole = (int32_t)(float_bits(shifted) - 0x4b400000u); // bits of ROUND_MAGIC
    int32_t half = whole >> 1;
    float scaled = p * float_from_bits((uint32_t)(half + 127) << 23);
    scaled *= float_from_bits((uint32_t)(whole - half + 127) << 23);
    return x < EXP_LOWEST ? 0.0f : scaled;
}

// floor(255 * 2^x + threshold) for x <= 0, a whole number from 0 to 255, `below` being the threshold - 1/2; 0 below -24
// and for a NaN. 2^(x - n), |x - n| <= 1/2, by a polynomial of degree 4, wrong by 2.8e-6 at most.
#define WEIGHT_LOWEST (-24.0f)
static const float weight_terms[5] = {0x1.fep+7f, 0x1.617e4ap+7f, 0x1.ea1774p+5f, 0x1.c8324ap+3f, 0x1.38c8cap+1f};

static inline float weight_u8(float x, float below) {
    float c = x > WEIGHT_LOWEST ? x : WEIGHT_LOWEST;
    float shifted = c + ROUND_MAGIC;
    float f = c - (shifted - ROUND_MAGIC);
    float p = weight_terms[4];
    for (int i = 3; i >= 0; i--)
        p = fmaf(p, f, weight_terms[i]);
    int32_t n = (int32_t)(float_bits(shifted) - 0x4b400000u);
    p *= float_from_bits((uint32_t)(n + 127) << 23);
    return p + below + ROUND_MAGIC - ROUND_MAGIC;
}

// Thresholds of 16 neighbours, spread over (0, 1), less 1/2: weights far below 1 are right on average.
static const float weight_below[16] = {-15 / 32.0f, 1 / 32.0f,  -7 / 32.0f,  9 / 32.0f, -11 / 32.0f, 5 / 32.0f,
                                       -3 / 32.0f,  13 / 32.0f, -13 / 32.0f, 3 / 32.0f, -5 / 32.0f,  11 / 32.0f,
                                       -9 / 32.0f,  7 / 32.0f,  -1 / 32.0f,  15 / 32.0f};

// erf(x): below 1 an odd polynomial, above 1 - exp(polynomial).
static const float erf_terms[7] = {0x1.06eba8p-3f, -0x1.81273ep-2f,  0x1.ce2ce6p-4f, -0x1.b7f71ap-6f,
                                   0x1.53f224p-8f, -0x1.a3515ep-11f, 0x1.4771fcp-14f};
static const float erfc_terms[9] = {0x1.ac92p-13f,   -0x1.21317ap+0f, -0x1.441dbep-1f,  -0x1.bcfc98p-4f, 0x1.9fb99cp-6f,
                                    -0x1.18a8bcp-8f, 0x1.e65a26p-12f, -0x1.a8c53ap-16f, 0x1.0de57ap-22f};

static inline float math_erf(float x) {
    float a = fabsf(x);
    float square = a * a;
    float low = erf_terms[6];
    for (int i = 5; i >= 0; i--)
        low = fmaf(low, square, erf_terms[i]);
    low = fmaf(a, low, a);
    float clamped = 4.0f < a ? 4.0f : a;
    float high = erfc_terms[8];
    for (int i = 7; i >= 0; i--)
        high = fmaf(high, clamped, erfc_terms[i]);
    high = 1.0f - math_exp(high);
    return copysignf(a < 1.0f ? low : high, x);
}

// tanh(x): below 0.625 an odd polynomial, above 1 - 2 / (exp(2x) + 1).
#define TANH_LOW 0.625f
static const float tanh_terms[5] = {-0x1.555532p-2f, 0x1.1106f6p-3f, -0x1.b835a4p-5f, 0x1.51f8cep-6f, -0x1.750ce2p-8f};

static inline float math_tanh(float x) {
    float a = fabsf(x);
    float square = a * a;
    float low = tanh_terms[4];
    for (int i = 3; i >= 0; i--)
        low = fmaf(low, square, tanh_terms[i]);
    low = fmaf(a * square, low, a);
    float high = 1.0f - 2.0f / (math_exp(a + a) + 1.0f);
    return copysignf(a < TANH_LOW ? low : high, x);
}

// log(x): x = 2^e m, m in [sqrt(1/2), sqrt 2); log m = f - f^2/2 + f^3 p(f), f = m - 1. -infinity at 0, NaN below.
static const float log_terms[9] = {0x1.555546p-2f,  -0x1.fffff8p-3f, 0x1.99a524p-3f,  -0x1.555fbep-3f, 0x1.233318p-3f,
                                   -0x1.fbbf34p-4f, 0x1.e6d1b8p-4f,  -0x1.e02114p-4f, 0x1.16a74ap-4f};

static inline float math_log(float x) {
    if (!(x > 0.0f))
        return x == 0.0f ? -INFINITY : NAN;
    if (x == INFINITY)
        return x;
    int32_t exponent = 0;
    if (x < 0x1p-126f) {
        x *= 0x1p24f;
        exponent = -24;
    }
    uint32_t shifted = float_bits(x) - 0x3f3504f3u; // sqrt(1/2): the exponent field now counts from there
    exponent += (int32_t)shifted >> 23;
    float f = float_from_bits((shifted & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    float p = log_terms[8];
    for (int i = 7; i >= 0; i--)
        p = fmaf(p, f, log_terms[i]);
    float square = f * f;
    float e = (float)exponent;
    float low = fmaf(e, LN2_LOW, fmaf(-0.5f, square, p * f * square));
    return fmaf(e, LN2_HIGH, f + low);
}

// Constants of the gelus.
#define SQRT_1_2 0x1.6a09e6p-1f
#define SQRT_2_PI 0x1.988454p-1f      // sqrt(2 / pi)
#define SQRT_2_PI_CUBE 0x1.2444f2p-5f // sqrt(2 / pi) * 0.044715

// Folds of 16 lanes: 16 -> 8 -> 4 -> 2 -> 1, lane i with lane i + half. Destroys `lanes`.
static inline float fold_sum(float lanes[16]) {
    for (size_t half = 8; half; half /= 2)
        for (size_t i = 0; i < half; i++)
            lanes[i] = lanes[i] + lanes[i + half];
    return lanes[0];
}

// max(a, b) is a > b ? a : b everywhere, which is what x86's MAXPS does with NaN and zeros.
static inline float fold_max(float lanes[16]) {
    for (size_t half = 8; half; half /= 2)
        for (size_t i = 0; i < half; i++)
            lanes[i] = lanes[i + half] > lanes[i] ? lanes[i + half] : lanes[i];
    return lanes[0];
}

// quantize_row_s8 takes a row whose largest magnitude is below this for zeros: 127 / largest would overflow.
#define QUANTIZE_LEAST 0x1p-100f

// Widening, exact.
static inline float float_from_bf16(uint16_t bits) {
    return float_from_bits((uint32_t)bits << 16);
}

// Halves: shift exponent and fraction into place and scale by 2^112; that also makes denormals right. Infinity and NaN
// (quieted, as F16C does) are put together by hand.
static inline float float_from_f16(uint16_t bits) {
    uint32_t sign = (uint32_t)(bits & 0x8000u) << 16;
    uint32_t rest = (uint32_t)(bits & 0x7fffu) << 13;
    if (rest >= 0x7c00u << 13)
        return float_from_bits(sign | 0x7f800000u | rest | (rest > 0x7c00u << 13 ? 0x00400000u : 0));
    return float_from_bits(sign | float_bits(float_from_bits(rest) * 0x1p112f));
}

// Rounded to nearest, ties to even. Below the least normal half, adding 1/2 puts the last place of the sum at 2^-24,
// that of the denormal halves.
static inline uint16_t f16_from_float(float x) {
    uint16_t sign = (uint16_t)(float_bits(x) >> 16 & 0x8000u);
    float magnitude = fabsf(x);
    if (isnan(x))
        return (uint16_t)(sign | 0x7e00u);
    if (magnitude >= 65520.0f)
        return (uint16_t)(sign | 0x7c00u);
    if (magnitude < 0x1p-14f)
        return (uint16_t)(sign | (float_bits(magnitude + 0.5f) - float_bits(0.5f)));
    uint32_t bits = float_bits(magnitude);
    return (uint16_t)(sign | (((bits + 0xfffu + (bits >> 13 & 1u)) >> 13) - (112u << 10)));
}
