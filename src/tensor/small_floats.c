// SPDX-License-Identifier: Apache-2.0
// Small floats by arithmetic: a code's exponent and fraction are what the magnitude is in steps of its binade.
#include "tensor/small_floats.h"

#include <limits.h>
#include <math.h>
#include <string.h>

// sign 1, exponent, fraction bits; a magnitude's code is below `sign`.
typedef struct Layout {
    int fraction_bits, bias;
    uint8_t sign, most;    // the sign's bit; the largest finite magnitude
    uint8_t infinity, nan; // what out of range becomes without saturation (besides the sign), and NaN
    bool has_negatives;    // -0 and -NaN
} Layout;

static Layout layout_of(DType dtype) {
    switch (dtype) {
    case DTYPE_F8E4M3:
        return (Layout){3, 7, 0x80, 0x7E, 0x7F, 0x7F, true};
    case DTYPE_F8E4M3FNUZ:
        return (Layout){3, 8, 0x80, 0x7F, 0x80, 0x80, false};
    case DTYPE_F8E5M2:
        return (Layout){2, 15, 0x80, 0x7B, 0x7C, 0x7E, true};
    case DTYPE_F8E5M2FNUZ:
        return (Layout){2, 16, 0x80, 0x7F, 0x80, 0x80, false};
    default:
        return (Layout){1, 1, 0x8, 0x7, 0x7, 0x8, true}; // f4e2m1
    }
}

// Of exponents that make a normal f32.
static float power_of_two(int exponent) {
    uint32_t bits = (uint32_t)(exponent + 127) << 23;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

bool dtype_is_small_float(DType dtype) {
    return dtype >= DTYPE_F8E4M3 && dtype <= DTYPE_F4E2M1;
}

float small_float_to_f32(DType dtype, uint8_t code) {
    if (dtype == DTYPE_F8E8M0)
        return code == 0xFF ? NAN : ldexpf(1, code - 127);
    Layout layout = layout_of(dtype);
    int magnitude = code & (layout.sign - 1), exponent = magnitude >> layout.fraction_bits;
    bool negative = code & layout.sign;
    if (!layout.has_negatives && negative && magnitude == 0)
        return NAN;
    if (magnitude > layout.most) {
        float beyond = dtype == DTYPE_F8E5M2 && magnitude == layout.infinity ? INFINITY : NAN;
        return negative ? -beyond : beyond;
    }
    int fraction = magnitude & ((1 << layout.fraction_bits) - 1), whole = exponent ? 1 << layout.fraction_bits : 0;
    float value =
        (float)(whole + fraction) * power_of_two((exponent ? exponent : 1) - layout.bias - layout.fraction_bits);
    return negative ? -value : value;
}

uint8_t f32_to_small_float(DType dtype, float value, bool saturate) {
    if (dtype == DTYPE_F8E8M0)
        return f32_to_f8e8m0(value, saturate, SCALE_ROUND_UP);
    Layout layout = layout_of(dtype);
    uint8_t sign = signbit(value) ? layout.sign : 0;
    if (isnan(value))
        return layout.has_negatives && dtype != DTYPE_F4E2M1 ? sign | layout.nan : layout.nan;
    float magnitude = fabsf(value);
    int code = INT_MAX;
    if (magnitude < 0x1p20f) { // beyond every type's range
        uint32_t bits;
        memcpy(&bits, &magnitude, sizeof bits);
        int exponent = (int)(bits >> 23) - 127, least = 1 - layout.bias;
        exponent = exponent < least ? least : exponent;
        // Steps of this binade, a few bits of them; rounding up into the next binade carries into the exponent.
        float steps = magnitude * power_of_two(layout.fraction_bits - exponent);
        code = (int)((steps + 0x1p23f) - 0x1p23f) + ((exponent - least) << layout.fraction_bits);
    }
    if (code > layout.most) {
        if (!saturate && dtype != DTYPE_F4E2M1)
            return layout.has_negatives ? sign | layout.infinity : layout.nan;
        code = layout.most;
    }
    return code == 0 && !layout.has_negatives ? 0 : sign | (uint8_t)code;
}

uint8_t f32_to_f8e8m0(float value, bool saturate, ScaleRounding rounding) {
    enum { MOST = 0xFE, NOT_A_NUMBER = 0xFF };
    float magnitude = fabsf(value);
    if (isnan(value))
        return NOT_A_NUMBER;
    if (magnitude < 0x1p-127f)
        return saturate ? 0 : NOT_A_NUMBER;
    if (isinf(magnitude))
        return saturate ? MOST : NOT_A_NUMBER;
    int exponent = ilogbf(magnitude);
    float beyond = ldexpf(magnitude, -exponent); // [1, 2)
    exponent += rounding == SCALE_ROUND_UP ? beyond > 1 : rounding == SCALE_ROUND_NEAREST && beyond >= 1.5f;
    if (exponent > 127)
        return saturate ? MOST : NOT_A_NUMBER;
    return (uint8_t)(exponent + 127);
}
