// SPDX-License-Identifier: Apache-2.0
// int8 rows: exact values, the bound on the error, all dtypes alike, unaligned data, hostile values.
#include "tensor/quantize.h"

#include <math.h>

#include "base/random.h"
#include "check.h"

static Error err;

START_TEST(test_exact_values) {
    // Row 0 has scale 1: halves round to even. Row 1 is all zeros. Row 2's scale underflows to 0.
    const float values[3][6] = {{127, 0.5f, 1.5f, -2.5f, -127, 126.5f}, {0, -0.0f}, {1e-44f, -1e-44f}};
    int8_t q[18];
    float scales[3];
    CHECK_OK(quantize_int8_rows("w", DTYPE_F32, values, 3, 6, q, scales, &err));
    const int8_t expected[18] = {127, 0, 2, -2, -127, 126};
    ck_assert_mem_eq(q, expected, sizeof q);
    ck_assert(scales[0] == 1 && scales[1] == 0 && scales[2] == 0);
    const float largest[2] = {-3.4028235e38f, 3.4028235e38f};
    CHECK_OK(quantize_int8_rows("w", DTYPE_F32, largest, 1, 2, q, scales, &err));
    ck_assert(q[0] == -127 && q[1] == 127 && isfinite(scales[0]));
}
END_TEST

START_TEST(test_error_is_half_a_step) {
    enum { ROWS = 7, COLUMNS = 300 }; // more than one piece a row
    static float values[ROWS * COLUMNS];
    static unsigned char shifted[sizeof values + 1];
    static int8_t q[ROWS * COLUMNS], again[ROWS * COLUMNS];
    float scales[ROWS];
    Random random = {3};
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        values[i] = ((float)random_unit(&random) - 0.5f) * (float)(1 + i / COLUMNS);
    CHECK_OK(quantize_int8_rows("w", DTYPE_F32, values, ROWS, COLUMNS, q, scales, &err));
    for (size_t i = 0; i < ROWS * COLUMNS; i++) {
        double scale = (double)scales[i / COLUMNS];
        ck_assert(fabs(q[i] * scale - (double)values[i]) <= scale * 0.50001);
    }
    memcpy(shifted + 1, values, sizeof values);
    CHECK_OK(quantize_int8_rows("w", DTYPE_F32, shifted + 1, ROWS, COLUMNS, again, scales, &err));
    ck_assert_mem_eq(again, q, sizeof q);
}
END_TEST

START_TEST(test_half_precision) {
    const float values[4] = {1, -2, 0.25f, 0}; // exact in all three
    uint16_t half[4], brain[4];
    int8_t q[4], other[4];
    float scale, other_scale;
    for (size_t i = 0; i < 4; i++) {
        half[i] = f32_to_f16(values[i]);
        brain[i] = f32_to_bf16(values[i]);
    }
    CHECK_OK(quantize_int8_rows("w", DTYPE_F32, values, 1, 4, q, &scale, &err));
    CHECK_OK(quantize_int8_rows("w", DTYPE_F16, half, 1, 4, other, &other_scale, &err));
    ck_assert(memcmp(q, other, 4) == 0 && scale == other_scale);
    CHECK_OK(quantize_int8_rows("w", DTYPE_BF16, brain, 1, 4, other, &other_scale, &err));
    ck_assert(memcmp(q, other, 4) == 0 && scale == other_scale);
}
END_TEST

START_TEST(test_what_cannot_be_quantized) {
    float values[600] = {0};
    int8_t q[600];
    float scales[2];
    values[300 + 299] = NAN;
    CHECK_FAILS(quantize_int8_rows("fc1.weight", DTYPE_F32, values, 2, 300, q, scales, &err), ERR_FORMAT,
                "tensor 'fc1.weight' cannot be quantized: row 1, column 299 is nan");
    uint16_t infinite = 0x7C00;
    CHECK_FAILS(quantize_int8_rows("h", DTYPE_F16, &infinite, 1, 1, q, scales, &err), ERR_FORMAT,
                "tensor 'h' cannot be quantized: row 0, column 0 is inf");
    CHECK_FAILS(quantize_int8_rows("ids", DTYPE_I64, values, 1, 1, q, scales, &err), ERR_UNSUPPORTED,
                "tensor 'ids' holds i64, expected f32, f16 or bf16");
    CHECK_OK(quantize_int8_rows("empty", DTYPE_F32, values, 2, 0, q, scales, &err));
    ck_assert(scales[0] == 0 && scales[1] == 0);
}
END_TEST

TEST_MAIN("quantize", test_exact_values, test_error_is_half_a_step, test_half_precision, test_what_cannot_be_quantized)
