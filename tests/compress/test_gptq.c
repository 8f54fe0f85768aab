// SPDX-License-Identifier: Apache-2.0
// GPTQ against tools/goldens/compress/gptq.py, which goes a column at a time: equal codes. What it promises: no layer
// worse than rounded to nearest, and losses that are those of the outputs.
#include "compress/gptq.h"

#include <math.h>

#include "base/file.h"
#include "base/random.h"
#include "base/scratch.h"
#include "check.h"
#include "format/safetensors/safetensors.h"

static Error err;
static Scratch scratch;

static void *room(size_t count, size_t size) {
    void *made = arena_array(&scratch.arena, count, size, &err);
    ck_assert_ptr_nonnull(made);
    return made;
}

static double *gram_of(const float *inputs, size_t samples, size_t columns) {
    double *gram = room(columns * columns, sizeof *gram);
    for (size_t s = 0; s < samples; s++)
        for (size_t i = 0; i < columns; i++)
            for (size_t j = 0; j < columns; j++)
                gram[i * columns + j] += (double)inputs[s * columns + i] * (double)inputs[s * columns + j];
    return gram;
}

static int code_at(const uint8_t *pairs, size_t element) {
    return int4_values[element % 2 ? pairs[element / 2] >> 4 : pairs[element / 2] & 15];
}

// Mean squared difference of the outputs, from the inputs themselves.
static double output_loss(const GptqInput *input, const float *inputs, const uint8_t *pairs, const float *scales) {
    double sum = 0;
    for (size_t s = 0; s < input->samples; s++)
        for (size_t r = 0; r < input->rows; r++) {
            double difference = 0;
            for (size_t c = 0; c < input->columns; c++) {
                size_t i = r * input->columns + c;
                double lost = (double)input->weights[i] - code_at(pairs, i) * (double)scales[i / input->group];
                difference += lost * (double)inputs[s * input->columns + c];
            }
            sum += difference * difference;
        }
    return sum / (double)input->samples / (double)input->rows;
}

static void close_to(double found, double expected) {
    ck_assert_msg(fabs(found - expected) <= 1e-7 * expected, "%.12g, expected %.12g", found, expected);
}

static const Tensor *get(const Bundle *bundle, const char *name, const char *end) {
    char full[64];
    snprintf(full, sizeof full, "%s.%s", name, end);
    const Tensor *tensor = bundle_find(bundle, full);
    ck_assert_msg(tensor != NULL, "golden '%s' is missing", full);
    return tensor;
}

static float *floats(const Tensor *tensor) {
    size_t elements;
    ck_assert(shape_elements(&tensor->shape, &elements));
    float *values = room(elements, sizeof *values);
    tensor_to_f32(tensor, values);
    return values;
}

START_TEST(test_codes_are_the_plain_algorithms) {
    static const struct {
        const char *name;
        size_t group;
        Int4Rule rule;
        DType scales;
    } cases[] = {{"short", 32, INT4_ABSMAX, DTYPE_F32},
                 {"blocks", 64, INT4_ABSMAX, DTYPE_F32},
                 {"odd", 96, INT4_ABSMAX, DTYPE_F16},
                 {"fit", 256, INT4_FIT, DTYPE_F32}};
    scratch = scratch_make();
    char *path = arena_format(&scratch.arena, &err, "%s/tests/golden/compress/gptq.safetensors", getenv("HONE_SOURCE"));
    Bytes file;
    Bundle bundle;
    CHECK_OK(file_map(&scratch.arena, path, &file, &err));
    CHECK_OK(safetensors_read(&scratch.arena, path, file, &bundle, &err));
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const Tensor *x = get(&bundle, cases[i].name, "inputs"), *w = get(&bundle, cases[i].name, "weights");
        size_t samples = (size_t)x->shape.dims[0], rows = (size_t)w->shape.dims[0], columns = (size_t)w->shape.dims[1];
        float *inputs = floats(x);
        GptqInput input = {"w",     floats(w),      rows,          columns,        gram_of(inputs, samples, columns),
                           samples, cases[i].group, cases[i].rule, cases[i].scales};
        GptqResult result;
        CHECK_OK(gptq_round(&scratch.arena, NULL, &input, &result, &err));
        const int8_t *codes = get(&bundle, cases[i].name, "codes")->data;
        for (size_t e = 0; e < rows * columns; e++)
            ck_assert_msg(code_at(result.pairs, e) == codes[e], "%s: [%zu,%zu]", cases[i].name, e / columns,
                          e % columns);
        ck_assert_mem_eq(result.scales, get(&bundle, cases[i].name, "scales")->data,
                         rows * columns / input.group * sizeof(float));
        double losses[2];
        memcpy(losses, get(&bundle, cases[i].name, "losses")->data, sizeof losses);
        close_to(result.error, losses[0]);
        close_to(result.plain_error, losses[1]);
        close_to(output_loss(&input, inputs, result.pairs, result.scales), losses[0]);
        ck_assert(result.damping == 0.01);
    }
    scratch_done(&scratch);
}
END_TEST

// Inputs that go along with their neighbours, as those of a model do.
static float *inputs_made(Random *random, size_t samples, size_t columns) {
    float *inputs = room(samples * columns, sizeof *inputs);
    for (size_t s = 0; s < samples; s++) {
        double last = 0;
        for (size_t c = 0; c < columns; c++) {
            last = 0.8 * last + random_unit(random) - 0.5;
            inputs[s * columns + c] = (float)last;
        }
    }
    return inputs;
}

static float *weights_made(Random *random, size_t count) {
    float *weights = room(count, sizeof *weights);
    for (size_t i = 0; i < count; i++)
        weights[i] = (float)(random_unit(random) + random_unit(random) + random_unit(random) - 1.5);
    return weights;
}

START_TEST(test_no_layer_is_worse_and_threads_do_not_matter) {
    static const struct {
        size_t rows, columns, samples, group;
    } shapes[] = {{1, 32, 5, 32}, {7, 64, 200, 64}, {8, 160, 30, 32}, {33, 256, 300, 128}, {70, 384, 64, 192}};
    Random random = {3};
    scratch = scratch_make();
    for (size_t i = 0; i < 2 * ARRAY_COUNT(shapes); i++) {
        size_t rows = shapes[i / 2].rows, columns = shapes[i / 2].columns, samples = shapes[i / 2].samples;
        float *inputs = inputs_made(&random, samples, columns);
        GptqInput input = {.name = "w",
                           .weights = weights_made(&random, rows * columns),
                           .rows = rows,
                           .columns = columns,
                           .gram = gram_of(inputs, samples, columns),
                           .samples = samples,
                           .group = shapes[i / 2].group,
                           .rule = i % 2 ? INT4_FIT : INT4_ABSMAX,
                           .scale_dtype = DTYPE_F16};
        GptqResult first, other;
        CHECK_OK(gptq_round(&scratch.arena, NULL, &input, &first, &err));
        close_to(output_loss(&input, inputs, first.pairs, first.scales), first.error);
        ck_assert_msg(first.error <= first.plain_error, "%g, rounded to nearest %g", first.error, first.plain_error);
        ck_assert(rows < 7 || first.error < 0.6 * first.plain_error);
        for (int threads = 2; threads <= 5; threads += 3) {
            Pool *pool;
            CHECK_OK(pool_new(threads, &pool, &err));
            CHECK_OK(gptq_round(&scratch.arena, pool, &input, &other, &err));
            pool_free(pool);
            ck_assert_mem_eq(first.pairs, other.pairs, rows * columns / 2);
            ck_assert_mem_eq(first.scales, other.scales, rows * columns / input.group * sizeof(float));
            ck_assert(first.error == other.error && first.plain_error == other.plain_error);
        }
    }
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_inputs_that_know_nothing_of_each_other_round_to_nearest) {
    enum { ROWS = 11, COLUMNS = 256 };
    Random random = {4};
    scratch = scratch_make();
    double *gram = room(COLUMNS * COLUMNS, sizeof *gram);
    GptqInput input = {"w", weights_made(&random, ROWS * COLUMNS), ROWS, COLUMNS, gram, 1, 64, INT4_ABSMAX, DTYPE_F16};
    uint8_t pairs[ROWS * COLUMNS / 2];
    float scales[ROWS * 4];
    GptqResult result;
    for (int seen = 0; seen < 2; seen++)
        for (int rule = 0; rule < 2; rule++) {
            for (size_t i = 0; i < COLUMNS; i++)
                gram[i * COLUMNS + i] = seen; // 0: no input was ever seen
            input.rule = rule ? INT4_FIT : INT4_ABSMAX;
            CHECK_OK(quantize_int4_rows("w", DTYPE_F32, input.weights, ROWS, COLUMNS, 64, input.rule, DTYPE_F16, pairs,
                                        scales, &err));
            CHECK_OK(gptq_round(&scratch.arena, NULL, &input, &result, &err));
            ck_assert_mem_eq(result.pairs, pairs, sizeof pairs);
            ck_assert_mem_eq(result.scales, scales, sizeof scales);
            ck_assert(result.error == result.plain_error && result.plain_rows == ROWS);
        }
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_bad_statistics) {
    float weights[4 * 32] = {1, 0.5f, -0.25f};
    scratch = scratch_make();
    double *gram = room(32 * 32, sizeof *gram);
    GptqInput input = {"fc1.weight", weights, 4, 32, gram, 9, 32, INT4_FIT, DTYPE_F16};
    GptqResult result;
    for (size_t i = 0; i < 32; i++)
        gram[i * 32 + i] = 1;
    gram[1] = 1.05; // more than 0.05 of the diagonal is needed
    CHECK_OK(gptq_round(&scratch.arena, NULL, &input, &result, &err));
    ck_assert(result.damping == 0.1);
    gram[1] = 5;
    CHECK_FAILS(gptq_round(&scratch.arena, NULL, &input, &result, &err), ERR_FORMAT,
                "the statistics of the inputs of 'fc1.weight' are no Gram matrix: it is not positive definite");
    gram[1] = INFINITY;
    CHECK_FAILS(gptq_round(&scratch.arena, NULL, &input, &result, &err), ERR_FORMAT,
                "the statistics of the inputs of 'fc1.weight' hold inf for columns 0 and 1");
    gram[1] = 0;
    weights[40] = NAN;
    CHECK_FAILS(gptq_round(&scratch.arena, NULL, &input, &result, &err), ERR_FORMAT,
                "tensor 'fc1.weight' cannot be quantized: row 1, column 8 is nan");
    weights[40] = 1e30f;
    CHECK_FAILS(gptq_round(&scratch.arena, NULL, &input, &result, &err), ERR_FORMAT, "too large for a scale of fp16");
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("compress/gptq", test_codes_are_the_plain_algorithms, test_no_layer_is_worse_and_threads_do_not_matter,
          test_inputs_that_know_nothing_of_each_other_round_to_nearest, test_bad_statistics)
