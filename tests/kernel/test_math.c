// SPDX-License-Identifier: Apache-2.0
// The elementary functions of the kernels against the C library's in double, over a comb of all floats: error in units
// of the last place of the true result. Half floats are checked over all 65536.
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "check.h"
#include "kernel/ref/math.h"

// Every 1009th bit pattern, both signs, denormals included; HONE_MATH_STEP=1 looks at all of them (some minutes).
static uint32_t comb_step(void) {
    const char *step = getenv("HONE_MATH_STEP");
    return step ? (uint32_t)strtoul(step, NULL, 10) : 1009;
}

// |got - exact| in units of the last place of a float near `exact`.
static double ulps(float got, double exact) {
    int exponent;
    frexp(exact, &exponent);
    exponent = exponent < -125 ? -125 : exponent;
    return fabs((double)got - exact) / ldexp(1.0, exponent - 24);
}

typedef struct Function {
    const char *name;
    float (*ours)(float);
    double (*exact)(double);
    float low, high; // where the bound holds
    double bound;    // ulps
} Function;

static const Function functions[] = {
    {"exp", math_exp, exp, EXP_LOWEST, 88.7228317f, 1.1},
    {"erf", math_erf, erf, -FLT_MAX, FLT_MAX, 1.5},
    {"tanh", math_tanh, tanh, -FLT_MAX, FLT_MAX, 1.5},
    {"log", math_log, log, 0x1p-149f, FLT_MAX, 1.0},
};

START_TEST(test_error_bounds) {
    uint32_t step = comb_step();
    for (size_t f = 0; f < ARRAY_COUNT(functions); f++) {
        const Function *function = &functions[f];
        double worst = 0.0;
        float worst_x = 0.0f;
        for (uint64_t bits = 0; bits <= UINT32_MAX; bits += step) {
            float x = float_from_bits((uint32_t)bits);
            if (!(x >= function->low && x <= function->high))
                continue;
            double error = ulps(function->ours(x), function->exact((double)x));
            if (!(error <= worst)) {
                worst = error;
                worst_x = x;
            }
        }
        printf("# %s: worst %.3f ulp at %a\n", function->name, worst, (double)worst_x);
        ck_assert_msg(worst <= function->bound, "%s: %.3f ulp at %a, bound %.1f", function->name, worst,
                      (double)worst_x, function->bound);
    }
}
END_TEST

START_TEST(test_special_values) {
    ck_assert(math_exp(-INFINITY) == 0.0f && math_exp(-87.4f) == 0.0f && math_exp(-1e30f) == 0.0f);
    ck_assert(math_exp(EXP_LOWEST) >= FLT_MIN);
    ck_assert(math_exp(INFINITY) == INFINITY && math_exp(88.7229f) == INFINITY && math_exp(1e30f) == INFINITY);
    ck_assert(math_exp(88.7228317f) < INFINITY && math_exp(0.0f) == 1.0f && math_exp(-0.0f) == 1.0f);
    ck_assert(isnan(math_exp(NAN)) && isnan(math_erf(NAN)) && isnan(math_tanh(NAN)) && isnan(math_log(NAN)));
    ck_assert(math_erf(INFINITY) == 1.0f && math_erf(-INFINITY) == -1.0f);
    ck_assert(math_tanh(INFINITY) == 1.0f && math_tanh(-INFINITY) == -1.0f);
    ck_assert(float_bits(math_erf(-0.0f)) == 0x80000000u && float_bits(math_tanh(-0.0f)) == 0x80000000u);
    ck_assert(math_log(0.0f) == -INFINITY && math_log(-0.0f) == -INFINITY && math_log(INFINITY) == INFINITY);
    ck_assert(isnan(math_log(-1.0f)) && isnan(math_log(-INFINITY)));
    ck_assert(math_log(1.0f) == 0.0f);
}
END_TEST

START_TEST(test_erf_and_tanh_never_exceed_one) {
    for (float x = 0.5f; x < 20.0f; x += 0x1p-12f)
        if (math_erf(x) > 1.0f || math_tanh(x) > 1.0f)
            ck_abort_msg("beyond one at %a", (double)x);
}
END_TEST

START_TEST(test_widening) {
    for (uint32_t bits = 0; bits < 65536; bits++) {
        int exponent = (int)(bits >> 10 & 31);
        double fraction = (double)(bits & 1023);
        double value = exponent ? ldexp(1024.0 + fraction, exponent - 25) : ldexp(fraction, -24);
        float half = float_from_f16((uint16_t)bits);
        bool right = exponent != 31    ? (double)half == (bits >> 15 ? -value : value)
                     : fraction == 0.0 ? isinf(half)
                                       : isnan(half);
        if (!right || (unsigned)!!signbit(half) != bits >> 15)
            ck_abort_msg("half %04x gives %a", bits, (double)half);
        if (float_bits(float_from_bf16((uint16_t)bits)) != bits << 16)
            ck_abort_msg("bfloat16 %04x", bits);
    }
}
END_TEST

// Weights are floor(255 * 2^x + threshold), but for the polynomial's error.
START_TEST(test_weights) {
    for (double x = -30.0; x <= 0.0; x += 0x1p-11)
        for (size_t i = 0; i < 16; i++) {
            double exact = 255 * exp2(x) + (double)weight_below[i] + 0.5,
                   got = (double)weight_u8((float)x, weight_below[i]);
            double most = floor(exact * (1 + 4e-6)), least = floor(exact * (1 - 4e-6));
            ck_assert_msg(got == most || got == least, "weight_u8(%g) is %g of %g", x, got, exact);
        }
    double sum = 0;
    for (size_t i = 0; i < 16; i++) {
        ck_assert(weight_u8(0.0f, weight_below[i]) == 255.0f && weight_u8(-INFINITY, weight_below[i]) == 0.0f);
        ck_assert(weight_u8(NAN, weight_below[i]) == 0.0f);
        sum += (double)weight_u8(-10.0f, weight_below[i]);
    }
    ck_assert(sum == 4); // 16 * 255 / 1024
}
END_TEST

TEST_MAIN("math", test_error_bounds, test_special_values, test_erf_and_tanh_never_exceed_one, test_widening,
          test_weights)
