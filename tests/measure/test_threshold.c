// SPDX-License-Identifier: Apache-2.0
// Thresholds against numpy's and torch's of the same values (tools/goldens/measure/thresholds.py), whatever the order
// and the pieces in which they come; and values that have none.
#include <float.h>
#include <math.h>

#include "base/random.h"
#include "golden.h"
#include "measure/threshold.h"

static Error err;

typedef struct Case {
    const json_t *json;
    size_t batches, rows, columns;
    float *values; // [batches, rows, columns]
} Case;

// The generator's formula, in f32 as there.
static Case case_make(Arena *arena, const json_t *golden, size_t index) {
    Case c = {.json = json_array_get(json_object_get(golden, "cases"), index)};
    c.batches = (size_t)json_integer_value(json_object_get(golden, "batches"));
    c.rows = (size_t)json_integer_value(json_object_get(golden, "rows"));
    c.columns = (size_t)json_integer_value(json_object_get(golden, "columns"));
    json_int_t power = json_integer_value(json_object_get(c.json, "power"));
    size_t count = c.batches * c.rows * c.columns, every = (size_t)json_integer_value(json_object_get(c.json, "every"));
    float factor = (float)json_number_value(json_object_get(c.json, "factor"));
    float times = (float)json_number_value(json_object_get(c.json, "times"));
    c.values = arena_array(arena, count, sizeof *c.values, &err);
    ck_assert_ptr_nonnull(c.values);
    uint32_t seed = 12345;
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        float u = (float)((double)(seed >> 8) / 0x1p23 - 1), value = u;
        for (json_int_t p = 1; p < power; p++)
            value = value * u;
        value = value * factor;
        if (every && i % every == every - 1)
            value = value * times;
        c.values[i] = value < 0 && json_is_true(json_object_get(c.json, "relu")) ? 0 : value;
    }
    return c;
}

static void case_add(const Case *c, InputStatistics *statistics, size_t batch, size_t rows) {
    float *values = c->values + batch * c->rows * c->columns;
    for (size_t r = 0; r < c->rows; r += rows) {
        Slab slab = {.data = values + r * c->columns, .rows = c->rows - r < rows ? c->rows - r : rows};
        slab.columns = slab.row_stride = c->columns;
        input_statistics_add(statistics, &slab, NULL, NULL, NULL);
    }
    input_statistics_end_batch(statistics);
}

static void check_case(const Case *c, const InputStatistics *statistics) {
    const char *rule_name, *name = json_string_value(json_object_get(c->json, "name"));
    json_t *value;
    json_object_foreach(json_object_get(c->json, "thresholds"), rule_name, value) {
        char rule_text[32];
        double percentile = 0;
        ThresholdRule rule;
        ck_assert_int_ge(sscanf(rule_name, "%31s %lf", rule_text, &percentile), 1);
        ck_assert(threshold_rule_from_name(rule_text, &rule));
        double wanted = json_number_value(value), found = (double)threshold_choose(statistics, rule, percentile);
        ck_assert_msg(fabs(found - wanted) <= 1e-6 * wanted, "%s, %s: %.9g, expected %.9g", name, rule_name, found,
                      wanted);
    }
}

START_TEST(thresholds_equal_their_definitions) {
    Arena arena;
    arena_init(&arena, 0);
    json_t *golden;
    CHECK_OK(json_parse(&arena, "thresholds.json", golden_map(&arena, "thresholds.json"), false, &golden, &err));
    size_t cases = json_array_size(json_object_get(golden, "cases"));
    ck_assert_uint_ge(cases, 5);
    for (size_t i = 0; i < cases; i++) {
        Case c = case_make(&arena, golden, i);
        InputStatistics statistics, pieces;
        CHECK_OK(input_statistics_init(&arena, c.columns, false, &statistics, &err));
        CHECK_OK(input_statistics_init(&arena, c.columns, false, &pieces, &err));
        for (size_t b = 0; b < c.batches; b++) {
            case_add(&c, &statistics, b, c.rows);
            case_add(&c, &pieces, b, 1 + b); // the histogram widens at other places
        }
        check_case(&c, &statistics);
        check_case(&c, &pieces);
        ck_assert_mem_eq(statistics.histogram, pieces.histogram, STATISTICS_BINS * sizeof *pieces.histogram);
    }
    arena_done(&arena);
}
END_TEST

START_TEST(what_has_no_threshold) {
    Arena arena;
    arena_init(&arena, 0);
    InputStatistics statistics;
    CHECK_OK(input_statistics_init(&arena, 2, false, &statistics, &err));
    float values[] = {0, -0.0f, 0, 0};
    Slab slab = {values, 2, 2, 2};
    input_statistics_add(&statistics, &slab, NULL, NULL, NULL);
    for (ThresholdRule rule = 0; rule < THRESHOLD_RULE_COUNT; rule++) {
        ThresholdRule again = THRESHOLD_RULE_COUNT;
        ck_assert(threshold_rule_from_name(threshold_rule_name(rule), &again) && again == rule);
        ck_assert(threshold_choose(&statistics, rule, 99.99) == 0);
    }
    ck_assert(!threshold_rule_from_name("kl", &(ThresholdRule){0}));
    values[3] = 0x1p-149f; // the smallest and the largest that f32 has
    values[0] = FLT_MAX;
    input_statistics_add(&statistics, &slab, NULL, NULL, NULL);
    values[2] = NAN;
    values[1] = -INFINITY;
    input_statistics_add(&statistics, &slab, NULL, NULL, NULL);
    input_statistics_end_batch(&statistics);
    ck_assert_uint_eq(statistics.not_finite, 2);
    for (ThresholdRule rule = 0; rule < THRESHOLD_RULE_COUNT; rule++) {
        float threshold = threshold_choose(&statistics, rule, 99.99);
        ck_assert_msg(threshold > 0 && threshold <= FLT_MAX, "%s: %g", threshold_rule_name(rule), (double)threshold);
    }
    arena_done(&arena);
}
END_TEST

// Columns, with factors, and Gram matrices against plain sums, for sizes around a block of rows and the kernels'
// panels.
START_TEST(columns_and_their_products) {
    enum { ROWS = 2 * GRAM_BLOCK + 3, MOST = 300 };
    static const size_t sizes[] = {1, 17, 64, 100, MOST};
    static float x[ROWS * (MOST + 3)], factors[MOST];
    Kernels kernels;
    Pool *pool;
    kernels_pick(cpu_detect(), &kernels);
    CHECK_OK(pool_new(2, &pool, &err));
    Random random = {5};
    for (size_t i = 0; i < ARRAY_COUNT(x); i++)
        x[i] = (float)(random_unit(&random) * 2 - 1);
    for (size_t i = 0; i < MOST; i++)
        factors[i] = (float)(random_unit(&random) + 0.5);
    for (size_t s = 0; s < ARRAY_COUNT(sizes); s++) {
        Arena arena;
        arena_init(&arena, 0);
        size_t columns = sizes[s], stride = columns + 3;
        InputStatistics statistics;
        CHECK_OK(input_statistics_init(&arena, columns, true, &statistics, &err));
        for (size_t r = 0; r < ROWS; r += 200) {
            Slab slab = {x + r * stride, ROWS - r < 200 ? ROWS - r : 200, columns, stride};
            input_statistics_add(&statistics, &slab, factors, &kernels, pool);
        }
        gram_finish(statistics.gram, &kernels, pool);
        ck_assert_uint_eq(statistics.rows, ROWS);
        for (size_t i = 0; i < columns; i++) {
            double sum = 0, square = 0, absmax = 0;
            for (size_t r = 0; r < ROWS; r++) {
                double value = (double)(x[r * stride + i] * factors[i]);
                sum += value;
                square += value * value;
                absmax = fmax(absmax, fabs(value));
            }
            ck_assert(fabs(statistics.column_sums[i] - sum) < 1e-9 &&
                      fabs(statistics.column_squares[i] - square) < 1e-9);
            ck_assert((double)statistics.column_absmax[i] == absmax);
        }
        for (size_t i = 0; i < columns; i += 7)
            for (size_t j = 0; j < columns; j++) {
                double sum = 0;
                for (size_t r = 0; r < ROWS; r++)
                    sum += (double)(x[r * stride + i] * factors[i]) * (double)(x[r * stride + j] * factors[j]);
                ck_assert_msg(fabs(statistics.gram->sums[i * columns + j] - sum) < 1e-4, "%zu columns: [%zu, %zu]",
                              columns, i, j);
                ck_assert(statistics.gram->sums[i * columns + j] == statistics.gram->sums[j * columns + i]);
            }
        arena_done(&arena);
    }
    pool_free(pool);
}
END_TEST

TEST_MAIN("measure/threshold", thresholds_equal_their_definitions, what_has_no_threshold, columns_and_their_products)
