// SPDX-License-Identifier: Apache-2.0
// 4-bit codes against bitsandbytes' and compressed-tensors' own (tools/goldens/tensor/four_bits.py), byte for byte;
// codebooks as integers; hostile values.
#include "tensor/quantize4.h"

#include <math.h>

#include "base/file.h"
#include "base/random.h"
#include "base/scratch.h"
#include "check.h"
#include "format/safetensors/safetensors.h"

static Error err;

static Bundle golden(Scratch *scratch) {
    const char *path =
        arena_format(&scratch->arena, &err, "%s/tests/golden/tensor/four_bits.safetensors", getenv("HONE_SOURCE"));
    Bytes file;
    Bundle bundle;
    CHECK_OK(file_map(&scratch->arena, path, &file, &err));
    CHECK_OK(safetensors_read(&scratch->arena, path, file, &bundle, &err));
    return bundle;
}

static const Tensor *get(const Bundle *bundle, const char *name, const char *end) {
    char full[64];
    snprintf(full, sizeof full, "%s%s", name, end);
    const Tensor *tensor = bundle_find(bundle, full);
    ck_assert_msg(tensor != NULL, "golden '%s' is missing", full);
    return tensor;
}

START_TEST(test_int4_is_compressed_tensors) {
    Scratch scratch = scratch_make();
    Bundle bundle = golden(&scratch);
    const Tensor *x = get(&bundle, "x", "");
    static const struct {
        const char *name;
        size_t group;
        DType scales;
    } cases[] = {{"int4.32", 32, DTYPE_F32},
                 {"int4.64", 64, DTYPE_F32},
                 {"int4.128", 128, DTYPE_F32},
                 {"int4.256", 256, DTYPE_F32},
                 {"int4.f16", 32, DTYPE_F16}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        uint8_t pairs[6 * 128];
        float scales[6 * 8];
        CHECK_OK(quantize_int4_rows("x", DTYPE_F32, x->data, 6, 256, cases[i].group, INT4_ABSMAX, cases[i].scales,
                                    pairs, scales, &err));
        const Tensor *packed = get(&bundle, cases[i].name, ".packed"), *scale = get(&bundle, cases[i].name, ".scale");
        ck_assert_mem_eq(pairs, packed->data, packed->bytes);
        ck_assert_uint_eq(scale->bytes, 6 * (256 / cases[i].group) * sizeof(float));
        ck_assert_mem_eq(scales, scale->data, scale->bytes);
    }
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_nf4_is_bitsandbytes) {
    Scratch scratch = scratch_make();
    Bundle bundle = golden(&scratch);
    static const struct {
        const char *x, *codes;
        size_t columns;
    } cases[] = {{"x", "nf4", 256}, {"short", "short", 77}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const Tensor *x = get(&bundle, cases[i].x, "");
        uint8_t pairs[768];
        float absmax[24];
        CHECK_OK(quantize_nf4_blocks("x", DTYPE_F32, x->data, x->bytes / 4, cases[i].columns, pairs, absmax, &err));
        const Tensor *packed = get(&bundle, cases[i].codes, ".packed"), *most = get(&bundle, cases[i].codes, ".absmax");
        ck_assert_uint_eq(packed->bytes, (x->bytes / 4 + 1) / 2);
        ck_assert_mem_eq(pairs, packed->data, packed->bytes);
        ck_assert_mem_eq(absmax, most->data, most->bytes);
    }
    static const float vector[8] = {-1, -.5f, 0, .25f, .5f, .75f, 1, .1f};
    static const uint8_t expected[4] = {0x02, 0x7A, 0xCE, 0xF8};
    uint8_t pairs[4];
    float absmax;
    CHECK_OK(quantize_nf4_blocks("v", DTYPE_F32, vector, 8, 8, pairs, &absmax, &err));
    ck_assert_mem_eq(pairs, expected, 4);
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_double_quantization) {
    Scratch scratch = scratch_make();
    Bundle bundle = golden(&scratch);
    const Tensor *map = get(&bundle, "nested.map", ""), *codes = get(&bundle, "nested.codes", "");
    float ours[256], nested[3], offset;
    dynamic_map(ours);
    ck_assert_mem_eq(ours, map->data, sizeof ours);
    uint8_t found[700];
    quantize_absmax(get(&bundle, "nested.input", "")->data, 700, found, nested, &offset);
    ck_assert_mem_eq(found, codes->data, 700);
    ck_assert_mem_eq(nested, get(&bundle, "nested.absmax", "")->data, sizeof nested);
    ck_assert_mem_eq(&offset, get(&bundle, "nested.offset", "")->data, sizeof offset);
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_codebooks) {
    Scratch scratch = scratch_make();
    Bundle bundle = golden(&scratch);
    int8_t codes[16];
    float unit, reals[16];
    ck_assert(codebook_round(nf4_map, codes, &unit));
    ck_assert_mem_eq(codes, nf4_values, sizeof codes);
    ck_assert(unit == 1.0f / 112);
    double squares = 0;
    for (int i = 0; i < 16; i++)
        squares += pow((double)codes[i] * (double)unit - (double)nf4_map[i], 2);
    ck_assert(sqrt(squares / 16) < 0.00173);
    ck_assert(codebook_round(get(&bundle, "fp4.map", "")->data, codes, &unit));
    static const int8_t fp4[16] = {0, 1, 80, 120, 40, 60, 20, 30, 0, -1, -80, -120, -40, -60, -20, -30};
    ck_assert_mem_eq(codes, fp4, sizeof codes);
    for (int i = 0; i < 16; i++)
        reals[i] = (float)int4_values[i] / 8;
    ck_assert(codebook_round(reals, codes, &unit));
    for (int i = 0; i < 16; i++)
        ck_assert((float)codes[i] * unit == reals[i]);
    reals[3] = NAN;
    ck_assert(!codebook_round(reals, codes, &unit));
    memset(reals, 0, sizeof reals);
    ck_assert(!codebook_round(reals, codes, &unit));
    scratch_done(&scratch);
}
END_TEST

static double random_normal(Random *random) {
    double radius = sqrt(-2 * log(1 - random_unit(random)));
    return radius * cos(6.283185307179586 * random_unit(random));
}

// Rounding the codebook adds little to what NF4 itself costs on normal weights.
START_TEST(test_cost_of_integers) {
    enum { BLOCKS = 2000, COUNT = BLOCKS * NF4_BLOCK };
    static float x[COUNT], absmax[BLOCKS];
    static uint8_t pairs[COUNT / 2];
    Random random = {9};
    for (size_t i = 0; i < COUNT; i++)
        x[i] = (float)random_normal(&random);
    CHECK_OK(quantize_nf4_blocks("x", DTYPE_F32, x, COUNT, COUNT, pairs, absmax, &err));
    double exact = 0, rounded = 0, all = 0;
    for (size_t i = 0; i < COUNT; i++) {
        unsigned code = i % 2 ? pairs[i / 2] & 15 : pairs[i / 2] >> 4;
        double most = (double)absmax[i / NF4_BLOCK], value = (double)x[i];
        exact += pow((double)nf4_map[code] * most - value, 2);
        rounded += pow(nf4_values[code] / 112.0 * most - value, 2);
        all += value * value;
    }
    ck_assert_double_eq_tol(sqrt(exact / all), 0.0920, 0.0005);
    ck_assert_double_eq_tol(sqrt(rounded / all), sqrt(exact / all), 0.0002);
}
END_TEST

// Against the rule said plainly in double precision: of 26 scales the one of least squared error.
static double fit_error(const float *x, size_t count, double scale) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double code = rint(fmax(-8, fmin(7, (double)x[i] / scale)));
        sum += pow((double)x[i] - code * scale, 2);
    }
    return sum;
}

// The least that the multiples of absmax / 7.5 allow, and what absmax / 7.5 itself costs.
static double fit_least(const float *x, size_t count, bool f16, double *ret_plain) {
    double absmax = 0, least = INFINITY;
    for (size_t i = 0; i < count; i++)
        absmax = fmax(absmax, fabs((double)x[i]));
    for (int step = 0; step <= 25; step++) {
        double scale = absmax / 7.5 * (0.70 + 0.02 * step);
        if (f16)
            scale = (double)f16_to_f32(f32_to_f16((float)scale));
        double error = fit_error(x, count, scale > 0 ? scale : 0x1p-23);
        least = fmin(least, error);
        if (step == 15)
            *ret_plain = error;
    }
    return least;
}

START_TEST(test_fitted_scales) {
    enum { COLUMNS = 512, ROWS = 12, COUNT = ROWS * COLUMNS };
    static const size_t groups[] = {32, 128, 512};
    static float x[COUNT], scales[COUNT / 32];
    static uint8_t pairs[COUNT / 2];
    Random random = {9};
    for (size_t i = 0; i < COUNT; i++)
        x[i] = (float)random_normal(&random) * (i / COLUMNS == 3 ? 1e-3f : 1) + (i % 97 == 0 ? 2 : 0);
    for (size_t g = 0; g < 2 * ARRAY_COUNT(groups); g++) {
        size_t group = groups[g / 2];
        DType dtype = g % 2 ? DTYPE_F16 : DTYPE_F32;
        double fitted = 0, plain = 0, plain_here = 0;
        CHECK_OK(quantize_int4_rows("x", DTYPE_F32, x, ROWS, COLUMNS, group, INT4_FIT, dtype, pairs, scales, &err));
        for (size_t first = 0; first < COUNT; first += group) {
            float scale = scales[first / group];
            double found = fit_error(x + first, group, (double)scale);
            double least = fit_least(x + first, group, dtype == DTYPE_F16, &plain_here);
            ck_assert_msg(found <= least * 1.0001, "group at %zu: %g, and %g is possible", first, found, least);
            ck_assert(int4_scale(x + first, group, INT4_FIT, dtype) == scale);
            for (size_t i = 0; i < group; i++)
                ck_assert_int_eq(int4_values[i % 2 ? pairs[(first + i) / 2] >> 4 : pairs[(first + i) / 2] & 15],
                                 int4_code(x[first + i], scale));
            fitted += found;
            plain += plain_here;
        }
        ck_assert_msg(fitted < 0.95 * plain, "groups of %zu: %g, by absmax %g", group, fitted, plain);
    }
    ck_assert(int4_scale((const float[]){0, 0}, 2, INT4_FIT, DTYPE_F16) == 0x1p-23f);
    ck_assert(isinf(int4_scale((const float[]){0, 1e6f}, 2, INT4_FIT, DTYPE_F16)));
}
END_TEST

START_TEST(test_hostile_values) {
    float x[128] = {0}, scales[4];
    uint8_t pairs[64], half_pairs[64];
    uint16_t half[128];
    x[70] = NAN;
    CHECK_FAILS(quantize_int4_rows("fc1.weight", DTYPE_F32, x, 2, 64, 32, INT4_ABSMAX, DTYPE_F32, pairs, scales, &err),
                ERR_FORMAT, "tensor 'fc1.weight' cannot be quantized: row 1, column 6 is nan");
    CHECK_FAILS(quantize_nf4_blocks("fc1.weight", DTYPE_F32, x, 128, 64, pairs, scales, &err), ERR_FORMAT,
                "tensor 'fc1.weight' cannot be quantized: row 1, column 6 is nan");
    x[70] = 3e38f;
    CHECK_FAILS(quantize_int4_rows("w", DTYPE_F32, x, 2, 64, 32, INT4_ABSMAX, DTYPE_F16, pairs, scales, &err),
                ERR_FORMAT, "tensor 'w' holds 3e+38, too large for a scale of fp16");
    CHECK_OK(quantize_int4_rows("w", DTYPE_F32, x, 2, 64, 32, INT4_ABSMAX, DTYPE_F32, pairs, scales, &err));
    CHECK_FAILS(quantize_nf4_blocks("ids", DTYPE_I64, x, 8, 8, pairs, scales, &err), ERR_UNSUPPORTED,
                "tensor 'ids' holds i64");
    CHECK_OK(quantize_nf4_blocks("empty", DTYPE_F32, x, 0, 0, pairs, scales, &err));
    for (size_t i = 0; i < 128; i++) {
        x[i] = (float)((int)(i * 37 % 101) - 50) / 64;
        half[i] = f32_to_f16(x[i]);
    }
    CHECK_OK(quantize_nf4_blocks("w", DTYPE_F32, x, 128, 64, pairs, scales, &err));
    CHECK_OK(quantize_nf4_blocks("w", DTYPE_F16, half, 128, 64, half_pairs, scales, &err));
    ck_assert_mem_eq(pairs, half_pairs, sizeof pairs);
}
END_TEST

TEST_MAIN("quantize4", test_int4_is_compressed_tensors, test_nf4_is_bitsandbytes, test_double_quantization,
          test_codebooks, test_cost_of_integers, test_fitted_scales, test_hostile_values)
