// SPDX-License-Identifier: Apache-2.0
// The whole stack over small BART and mBART models with random weights: model_open, session and engine against what
// Hugging Face's generate() makes of them; the same under every instruction set, number of threads and company.
#include "engine/golden_cases.h"
#include "model/model.h"

static void run_model(const char *folder, CpuLevel level, int threads, bool passes, EngineSettings settings) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    Kernels kernels;
    kernels_pick(level, &kernels);
    Pool *pool = NULL;
    CHECK_OK(pool_new(threads, &pool, &err));
    const char *root = getenv("HONE_SOURCE");
    ck_assert_msg(root != NULL, "HONE_SOURCE must name the folder of the sources");
    const Model *model = NULL;
    CHECK_OK(model_open(&arena, path_join(&arena, root, folder, &err), passes, &model, &err));
    const char *file = arena_format(&arena, &err, "%s/cases.json", folder);
    size_t count;
    Case *cases = cases_read(&arena, golden_read(&arena, file), model_generation(model), &count);
    Engine *engine = NULL;
    CHECK_OK(engine_new(model_session(model), &kernels, pool, &settings, &engine, &err));
    cases_run(engine, cases, count);
    engine_free(engine);
    pool_free(pool);
    arena_done(&arena);
}

static const char *const folders[] = {"tests/golden/engine/tiny_bart", "tests/golden/engine/tiny_mbart"};

START_TEST(test_alone) {
    for (size_t i = 0; i < ARRAY_COUNT(folders); i++)
        run_model(folders[i], cpu_detect(), 1, true, (EngineSettings){.most_requests = 1});
}
END_TEST

START_TEST(test_without_passes) {
    for (size_t i = 0; i < ARRAY_COUNT(folders); i++)
        run_model(folders[i], cpu_detect(), 1, false, (EngineSettings){.most_requests = 4});
}
END_TEST

START_TEST(test_together) {
    for (size_t i = 0; i < ARRAY_COUNT(folders); i++)
        run_model(folders[i], cpu_detect(), 3, true, (EngineSettings){.most_requests = 16});
}
END_TEST

// Few pages: requests wait for those that leave.
START_TEST(test_together_with_few_pages) {
    for (size_t i = 0; i < ARRAY_COUNT(folders); i++)
        run_model(folders[i], cpu_detect(), 2, true,
                  (EngineSettings){.most_requests = 32, .most_rows = 12, .kv_bytes = 1});
}
END_TEST

typedef struct Record {
    int32_t ids[200][64];
    double scores[200];
    size_t answers;
} Record;

static void record_answer(void *context, const Answer *answer) {
    Record *record = context;
    ck_assert(answer->error == NULL);
    size_t place = *(size_t *)answer->user;
    memcpy(record->ids[place], answer->sequences[0].ids, answer->sequences[0].count * sizeof(int32_t));
    record->scores[place] = answer->sequences[0].score;
    record->answers++;
}

static void record_all(const Model *model, const Case *cases, size_t count, CpuLevel level, int threads, size_t batch,
                       Record *record) {
    Error err;
    Kernels kernels;
    kernels_pick(level, &kernels);
    Pool *pool = NULL;
    CHECK_OK(pool_new(threads, &pool, &err));
    Engine *engine = NULL;
    EngineSettings settings = {.most_requests = batch};
    CHECK_OK(engine_new(model_session(model), &kernels, pool, &settings, &engine, &err));
    static size_t places[200];
    for (size_t i = 0; i < count; i++) {
        places[i] = i;
        Request request = {
            .ids = cases[i].source, .count = cases[i].source_count, .options = cases[i].options, .user = &places[i]};
        request.options.do_sample = i % 3 == 0;
        request.options.seed = i;
        CHECK_OK(engine_submit(engine, &request, &err));
        while (!engine_has_room(engine))
            engine_step(engine, record_answer, record);
    }
    while (engine_step(engine, record_answer, record)) {
    }
    ck_assert_uint_eq(record->answers, count);
    engine_free(engine);
    pool_free(pool);
}

static void compare_records(const char *folder) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    const Model *model = NULL;
    CHECK_OK(model_open(&arena, path_join(&arena, getenv("HONE_SOURCE"), folder, &err), true, &model, &err));
    size_t count;
    const char *file = arena_format(&arena, &err, "%s/cases.json", folder);
    Case *cases = cases_read(&arena, golden_read(&arena, file), model_generation(model), &count);
    static Record alone, other;
    count = count < 30 ? count : 30; // the reference kernels take their time
    memset(&alone, 0, sizeof alone);
    record_all(model, cases, count, cpu_detect(), 1, 1, &alone);
    for (CpuLevel level = CPU_REF; level <= cpu_detect(); level++) {
        memset(&other, 0, sizeof other);
        record_all(model, cases, count, level, 1 + (int)level, 3 + 7 * (size_t)level, &other);
        ck_assert_mem_eq(other.ids, alone.ids, sizeof alone.ids);
        ck_assert_mem_eq(other.scores, alone.scores, sizeof alone.scores);
    }
    arena_done(&arena);
}

// Not only within a tolerance: ids and scores, sampled ones too, are the same bits under any level, threads and batch.
START_TEST(test_same_bits_in_any_company) {
    for (size_t i = 0; i < ARRAY_COUNT(folders); i++)
        compare_records(folders[i]);
}
END_TEST

static void ignore_answer(void *context, const Answer *answer) {
    (void)context;
    ck_assert(answer->error == NULL);
}

// The same request again allocates nothing anywhere: neither engine, session nor kernels.
START_TEST(test_warm_stack_does_not_allocate) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    const Model *model = NULL;
    CHECK_OK(model_open(&arena, path_join(&arena, getenv("HONE_SOURCE"), folders[0], &err), true, &model, &err));
    Kernels kernels;
    kernels_pick(cpu_detect(), &kernels);
    Pool *pool = NULL;
    CHECK_OK(pool_new(2, &pool, &err));
    Engine *engine = NULL;
    CHECK_OK(engine_new(model_session(model), &kernels, pool, &(EngineSettings){.most_requests = 2}, &engine, &err));
    const int32_t source[] = {0, 44, 9, 71, 30, 2};
    Request request = {.ids = source, .count = ARRAY_COUNT(source), .options = *model_generation(model)};
    request.options.num_beams = 4;
    request.options.min_new_tokens = request.options.max_new_tokens = 40;
    uint64_t before = 0;
    for (int round = 0; round < 3; round++) {
        before = round == 2 ? memory_allocations() : before;
        CHECK_OK(engine_submit(engine, &request, &err));
        while (engine_step(engine, ignore_answer, NULL)) {
        }
    }
    ck_assert_uint_eq(memory_allocations(), before);
    engine_free(engine);
    pool_free(pool);
    arena_done(&arena);
}
END_TEST

TEST_MAIN("engine/tiny_bart", test_alone, test_without_passes, test_together, test_together_with_few_pages,
          test_same_bits_in_any_company, test_warm_stack_does_not_allocate)
