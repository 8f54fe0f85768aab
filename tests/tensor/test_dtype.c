// SPDX-License-Identifier: Apache-2.0
// Conversions between float formats against arithmetic in double, which holds every value exactly.
#include <math.h>

#include "base/random.h"
#include "check.h"
#include "tensor/small_floats.h"
#include "tensor/tensor.h"

START_TEST(names) {
    for (DType d = 0; d < DTYPE_COUNT; d++) {
        DType found = DTYPE_COUNT;
        ck_assert(dtype_from_name(dtype_name(d), &found) && found == d);
        found = DTYPE_COUNT;
        const char *safetensors = dtype_safetensors_name(d);
        ck_assert(dtype_from_safetensors_name(safetensors, &found) ? found == d : !*safetensors);
        const char *numpy = dtype_numpy_name(d);
        ck_assert(!*numpy || (size_t)(numpy[2] - '0') == dtype_bytes(d));
    }
    ck_assert(dtype_is_real(DTYPE_F16) && dtype_is_real(DTYPE_BF16) && dtype_is_real(DTYPE_F32));
    ck_assert(dtype_is_real(DTYPE_F64) && !dtype_is_real(DTYPE_I8) && !dtype_is_real(DTYPE_I32));
    DType untouched = DTYPE_I8;
    ck_assert(!dtype_from_name("F32", &untouched) && !dtype_from_safetensors_name("F8_E4M3", &untouched));
    ck_assert_int_eq(untouched, DTYPE_I8);
}
END_TEST

// The value of a 16-bit float with that many exponent bits.
static double value_of(uint16_t bits, int exponent_bits) {
    int fraction_bits = 15 - exponent_bits, most = (1 << exponent_bits) - 1, bias = most >> 1;
    int exponent = bits >> fraction_bits & most, fraction = bits & ((1 << fraction_bits) - 1);
    double value = exponent == 0     ? ldexp(fraction, 1 - bias - fraction_bits)
                   : exponent < most ? ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits)
                   : fraction        ? (double)NAN
                                     : (double)INFINITY;
    return bits & 0x8000 ? -value : value;
}

START_TEST(all_16_bit_floats_there_and_back) {
    for (uint32_t bits = 0; bits < 65536; bits++) {
        for (int exponent_bits = 5; exponent_bits <= 8; exponent_bits += 3) {
            bool half = exponent_bits == 5;
            float found = half ? f16_to_f32((uint16_t)bits) : bf16_to_f32((uint16_t)bits);
            double expected = value_of((uint16_t)bits, exponent_bits);
            uint16_t back = half ? f32_to_f16(found) : f32_to_bf16(found);
            bool same =
                isnan(expected) ? isnan(found) : (double)found == expected && !signbit(found) == !signbit(expected);
            bool returns = isnan(expected) ? isnan(value_of(back, exponent_bits)) && (back & 0x8000) == (bits & 0x8000)
                                           : back == bits;
            if (!same || !returns)
                ck_abort_msg("%s %04x: %a, expected %a; back %04x", half ? "f16" : "bf16", bits, (double)found,
                             expected, back);
        }
    }
}
END_TEST

// Between neighbours `low` and the next one up: below the middle, the middle (to even), above the middle.
static void check_between(uint16_t low, int exponent_bits, uint16_t (*convert)(float)) {
    double a = value_of(low, exponent_bits), b = value_of((uint16_t)(low + 1), exponent_bits);
    if (isinf(b)) // the last step of rounding has the size of the one before
        b = 2 * a - value_of((uint16_t)(low - 1), exponent_bits);
    float middle = (float)((a + b) / 2), below = nextafterf(middle, (float)a), above = nextafterf(middle, INFINITY);
    if ((double)middle != (a + b) / 2)
        return; // not a float: no tie
    uint16_t even = low & 1 ? low + 1 : low;
    if (convert(below) != low || convert(middle) != even || convert(above) != low + 1 ||
        convert(-middle) != (even | 0x8000))
        ck_abort_msg("around %a: %04x %04x %04x, expected %04x %04x %04x", (double)middle, convert(below),
                     convert(middle), convert(above), low, even, low + 1);
}

START_TEST(rounding_is_to_nearest_even) {
    for (uint16_t low = 0; low < 0x7C00; low++)
        check_between(low, 5, f32_to_f16);
    for (uint16_t low = 0; low < 0x7F80; low++)
        check_between(low, 8, f32_to_bf16);
    ck_assert_uint_eq(f32_to_f16(65519.996f), 0x7BFF);
    ck_assert_uint_eq(f32_to_f16(65520), 0x7C00);
    ck_assert_uint_eq(f32_to_f16(-INFINITY), 0xFC00);
    ck_assert_uint_eq(f32_to_bf16(3.4e38f), 0x7F80);
    ck_assert(isnan(f16_to_f32(f32_to_f16(NAN))) && isnan(bf16_to_f32(f32_to_bf16(NAN))));
    uint32_t quiet = 0x7F800001; // a NaN whose upper half alone would be infinity
    float value;
    memcpy(&value, &quiet, 4);
    ck_assert(isnan(bf16_to_f32(f32_to_bf16(value))) && isnan(f16_to_f32(f32_to_f16(value))));
}
END_TEST

START_TEST(any_dtype_becomes_f32) {
    // from an odd address, as files have it
    static const struct {
        DType dtype;
        unsigned char bytes[8];
        float expected;
    } cases[] = {
        {DTYPE_F64, {0, 0, 0, 0, 0, 0, 0xF8, 0xBF}, -1.5f},
        {DTYPE_F32, {0, 0, 0xC0, 0xBF}, -1.5f},
        {DTYPE_F16, {0, 0xBE}, -1.5f},
        {DTYPE_BF16, {0xC0, 0xBF}, -1.5f},
        {DTYPE_I64, {0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, -2},
        {DTYPE_I32, {0x01, 0x00, 0x00, 0x01}, 16777216}, // 2^24 + 1 rounds to even
        {DTYPE_I16, {0xFE, 0xFF}, -2},
        {DTYPE_I8, {0xFE}, -2},
        {DTYPE_U8, {0xFE}, 254},
        {DTYPE_U16, {0xFE, 0xFF}, 65534},
        {DTYPE_U32, {0xFF, 0xFF, 0xFF, 0xFF}, 4294967296.0f},
        {DTYPE_U64, {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, 18446744073709551616.0f},
        {DTYPE_BOOL, {2}, 1},
        {DTYPE_F8E4M3, {0xC4}, -3},
        {DTYPE_F8E4M3FNUZ, {0xC4}, -1.5f},
        {DTYPE_F8E5M2, {0x42}, 3},
        {DTYPE_F8E5M2FNUZ, {0x42}, 1.5f},
        {DTYPE_F8E8M0, {0x82}, 8},
        {DTYPE_F4E2M1, {0x0B}, -1.5f},
        {DTYPE_U4, {15}, 15},
        {DTYPE_I4, {0xF8}, -8},
        {DTYPE_U2, {3}, 3},
        {DTYPE_I2, {0xFE}, -2},
    };
    ck_assert_uint_eq(ARRAY_COUNT(cases), DTYPE_COUNT);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        size_t width = dtype_bytes(cases[i].dtype);
        unsigned char data[3 * 8 + 1] = {0};
        for (size_t k = 0; k < 3; k++)
            memcpy(data + 1 + k * width, cases[i].bytes, width);
        Tensor tensor = {"t", cases[i].dtype, {1, {3}}, data + 1, 3 * width};
        float values[4] = {0, 0, 0, 99};
        tensor_to_f32(&tensor, values);
        for (size_t k = 0; k < 3; k++)
            ck_assert_msg(values[k] == cases[i].expected, "%s: %a", dtype_name(cases[i].dtype), (double)values[k]);
        ck_assert(values[3] == 99);
    }
}
END_TEST

// A number for each code of a small float, in order of magnitude: what the next magnitude's code means is larger.
static const struct {
    DType dtype;
    uint8_t sign, most, beyond; // bit of the sign; the largest finite code; what more becomes without saturation
    float largest;
} small[] = {
    {DTYPE_F8E4M3, 0x80, 0x7E, 0x7F, 448},   {DTYPE_F8E4M3FNUZ, 0x80, 0x7F, 0x80, 240},
    {DTYPE_F8E5M2, 0x80, 0x7B, 0x7C, 57344}, {DTYPE_F8E5M2FNUZ, 0x80, 0x7F, 0x80, 57344},
    {DTYPE_F4E2M1, 0x08, 0x07, 0x07, 6},
};

START_TEST(small_floats_there_and_back) {
    for (size_t i = 0; i < ARRAY_COUNT(small); i++) {
        DType dtype = small[i].dtype;
        ck_assert(dtype_is_small_float(dtype) && small_float_to_f32(dtype, 0) == 0);
        ck_assert(small_float_to_f32(dtype, small[i].most) == small[i].largest);
        for (unsigned code = 0; code < small[i].most; code++) {
            uint8_t low = (uint8_t)code, high = (uint8_t)(code + 1), even = code & 1 ? high : low;
            float a = small_float_to_f32(dtype, low), b = small_float_to_f32(dtype, high), middle = (a + b) / 2;
            ck_assert_msg(a < b, "%s %02x", dtype_name(dtype), code);
            ck_assert_uint_eq(f32_to_small_float(dtype, a, false), low);
            ck_assert_uint_eq(f32_to_small_float(dtype, middle, true), even);
            ck_assert_uint_eq(f32_to_small_float(dtype, nextafterf(middle, 0), true), low);
            ck_assert_uint_eq(f32_to_small_float(dtype, nextafterf(middle, INFINITY), true), high);
            if (code)
                ck_assert_uint_eq(f32_to_small_float(dtype, -a, true), low | small[i].sign);
            ck_assert(code == 0 || small_float_to_f32(dtype, low | small[i].sign) == -a);
        }
    }
}
END_TEST

START_TEST(small_floats_out_of_range) {
    for (size_t i = 0; i < ARRAY_COUNT(small); i++) {
        DType dtype = small[i].dtype;
        const float large[] = {small[i].largest * 1.2f, 1e30f, INFINITY};
        for (size_t k = 0; k < ARRAY_COUNT(large); k++) {
            ck_assert_uint_eq(f32_to_small_float(dtype, large[k], true), small[i].most);
            ck_assert_uint_eq(f32_to_small_float(dtype, -large[k], true), small[i].most | small[i].sign);
            ck_assert_uint_eq(f32_to_small_float(dtype, large[k], false), small[i].beyond);
            ck_assert_uint_eq(f32_to_small_float(dtype, -large[k], false), small[i].beyond | small[i].sign);
        }
        bool unsigned_zero = dtype == DTYPE_F8E4M3FNUZ || dtype == DTYPE_F8E5M2FNUZ;
        ck_assert_uint_eq(f32_to_small_float(dtype, -0.0f, true), unsigned_zero ? 0 : small[i].sign);
        ck_assert_uint_eq(f32_to_small_float(dtype, -1e-30f, true), unsigned_zero ? 0 : small[i].sign);
        if (dtype != DTYPE_F4E2M1)
            ck_assert(isnan(small_float_to_f32(dtype, f32_to_small_float(dtype, NAN, true))));
    }
    ck_assert_uint_eq(f32_to_small_float(DTYPE_F4E2M1, NAN, true), 0x8);
    ck_assert(small_float_to_f32(DTYPE_F8E5M2, 0xFC) == -INFINITY && isnan(small_float_to_f32(DTYPE_F8E5M2, 0x7D)));
}
END_TEST

START_TEST(powers_of_two) {
    for (unsigned code = 0; code < 0xFF; code++) {
        float value = small_float_to_f32(DTYPE_F8E8M0, (uint8_t)code);
        ck_assert(value == ldexpf(1, (int)code - 127));
        ck_assert_uint_eq(f32_to_f8e8m0(value, false, SCALE_ROUND_UP), code);
        ck_assert_uint_eq(f32_to_f8e8m0(value * 1.5f, false, SCALE_ROUND_DOWN), code);
        ck_assert_uint_eq(f32_to_f8e8m0(value * 1.25f, false, SCALE_ROUND_NEAREST), code);
        ck_assert_uint_eq(f32_to_f8e8m0(value * 1.5f, false, SCALE_ROUND_NEAREST), code + 1);
        ck_assert_uint_eq(f32_to_small_float(DTYPE_F8E8M0, value * 1.25f, false), code + 1);
    }
    ck_assert(isnan(small_float_to_f32(DTYPE_F8E8M0, 0xFF)));
    ck_assert_uint_eq(f32_to_f8e8m0(0, true, SCALE_ROUND_UP), 0);
    ck_assert_uint_eq(f32_to_f8e8m0(0, false, SCALE_ROUND_UP), 0xFF);
    ck_assert_uint_eq(f32_to_f8e8m0(NAN, true, SCALE_ROUND_UP), 0xFF);
    ck_assert_uint_eq(f32_to_f8e8m0(INFINITY, true, SCALE_ROUND_UP), 0xFE);
    ck_assert_uint_eq(f32_to_f8e8m0(INFINITY, false, SCALE_ROUND_DOWN), 0xFF);
    ck_assert_uint_eq(f32_to_f8e8m0(3e38f, true, SCALE_ROUND_UP), 0xFE);
}
END_TEST

TEST_MAIN("dtype", names, all_16_bit_floats_there_and_back, rounding_is_to_nearest_even, any_dtype_becomes_f32,
          small_floats_there_and_back, small_floats_out_of_range, powers_of_two)
