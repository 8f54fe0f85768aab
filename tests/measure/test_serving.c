// SPDX-License-Identifier: Apache-2.0
// Load in this process: every request ends with its tokens, whatever the way of batching; and the search for the batch.
#include "measure/find_batch.h"

#include <math.h>

#include "check.h"

static Runtime *runtime_open_tiny(size_t running, bool slices) {
    static char path[512];
    Runtime *runtime = NULL;
    Error err;
    snprintf(path, sizeof path, "%s/tests/golden/engine/tiny_bart", getenv("HONE_SOURCE"));
    CHECK_OK(runtime_open(path, cpu_detect(), 1, true, &runtime, &err));
    EngineSettings settings = {.most_requests = 4 * running, .most_running = running, .slices_encoder = slices};
    CHECK_OK(runtime_start(runtime, &settings, &err));
    return runtime;
}

static const int32_t source_a[] = {0, 5, 6, 7, 2}, source_b[] = {0, 9, 8, 7, 6, 5, 4, 3, 2};
static const int32_t *const sources[] = {source_a, source_b};
static const size_t lengths[] = {ARRAY_COUNT(source_a), ARRAY_COUNT(source_b)};

static ServingWork work_of(const Runtime *runtime, const char *outputs) {
    Error err;
    ServingWork work = {.sources = sources,
                        .source_lengths = lengths,
                        .source_count = 2,
                        .requests = 60,
                        .seed = 3,
                        .options = *model_generation(runtime->model)};
    work.options.num_beams = 1;
    work.options.min_length = 0;
    CHECK_OK(lengths_parse(outputs, &work.outputs, &err));
    return work;
}

static void check_figures(const ServingFigures *f) {
    ck_assert_double_gt(f->requests_per_s, 0);
    ck_assert_double_gt(f->tokens_per_s, f->requests_per_s);
    for (int i = 0; i < 2; i++) {
        ck_assert_double_le(f->first_token_ms[i], f->first_token_ms[i + 1]);
        ck_assert_double_le(f->token_ms[i], f->token_ms[i + 1]);
        ck_assert_double_le(f->request_ms[i], f->request_ms[i + 1]);
    }
    ck_assert_uint_eq(f->load.waiting + f->load.running + f->load.encoding, 0);
}

START_TEST(test_ways_of_batching) {
    static const struct {
        size_t in_flight, static_batch;
        double rate;
        bool slices;
    } ways[] = {{0, 0, 0, true}, {5, 0, 0, true}, {0, 8, 0, false}, {0, 0, 2000, true}, {0, 8, 2000, false}};
    for (size_t i = 0; i < ARRAY_COUNT(ways); i++) {
        Runtime *runtime = runtime_open_tiny(8, ways[i].slices);
        Error err;
        ServingWork work = work_of(runtime, "2:9");
        work.in_flight = ways[i].in_flight;
        work.static_batch = ways[i].static_batch;
        work.rate = ways[i].rate;
        ServingFigures figures;
        CHECK_OK(serving_run(runtime->engine, &work, NULL, NULL, &figures, &err));
        check_figures(&figures);
        ck_assert_double_le(figures.rows_per_step, ways[i].in_flight ? 5 : 8);
        runtime_free(runtime);
    }
}
END_TEST

// The same seed draws the same work, and forced lengths are what comes out.
START_TEST(test_lengths) {
    Runtime *runtime = runtime_open_tiny(4, true);
    Error err;
    ServingFigures figures;
    ServingWork work = work_of(runtime, "7");
    CHECK_OK(serving_run(runtime->engine, &work, NULL, NULL, &figures, &err));
    ck_assert_uint_eq(figures.load.new_tokens, 7 * 60);
    work = work_of(runtime, "geometric:4:12");
    CHECK_OK(serving_run(runtime->engine, &work, NULL, NULL, &figures, &err));
    uint64_t first = figures.load.new_tokens - 7 * 60;
    double mean = (double)first / 60;
    ck_assert_msg(mean > 2.5 && mean < 5.5, "mean %g", mean);
    CHECK_OK(serving_run(runtime->engine, &work, NULL, NULL, &figures, &err));
    ck_assert_uint_eq(figures.load.new_tokens - 7 * 60, 2 * first);
    runtime_free(runtime);
}
END_TEST

static void count_point(void *context, const BatchPoint *point) {
    ck_assert_uint_ge(point->batch, 1);
    ++*(size_t *)context;
}

START_TEST(test_find_batch) {
    Runtime *runtime = runtime_open_tiny(16, true);
    Error err;
    size_t points = 0;
    BatchSearch search = {
        .work = work_of(runtime, "2:9"), .most_batch = 16, .point_s = 0.01, .tell = count_point, .context = &points};
    BatchCurve curve;
    CHECK_OK(find_batch(runtime->engine, &search, &curve, &err));
    ck_assert_uint_eq(curve.count, points);
    ck_assert(curve.count >= 2 && curve.met);
    for (size_t i = 1; i < curve.count; i++)
        ck_assert_uint_lt(curve.points[i - 1].batch, curve.points[i].batch);
    for (size_t i = 0; i < curve.count; i++)
        ck_assert_double_le(curve.points[i].tokens_per_s, curve.points[curve.best].tokens_per_s * 1.02);
    ck_assert_uint_eq(engine_load(runtime->engine).most_running, curve.points[curve.best].batch);

    // A target that nothing meets: the smallest is taken, and it is said.
    search.target_ms = 1e-6;
    CHECK_OK(find_batch(runtime->engine, &search, &curve, &err));
    ck_assert(!curve.met);
    ck_assert_uint_eq(curve.points[curve.best].batch, 1);
    runtime_free(runtime);
}
END_TEST

TEST_MAIN("measure/serving", test_ways_of_batching, test_lengths, test_find_batch)
