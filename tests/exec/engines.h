// SPDX-License-Identifier: Apache-2.0
// What tests of the engine cache and of tuning share: a model of one graph with matrices of several kinds, opened
// through a cache, run, and closed.
#pragma once

#include "base/scratch.h"
#include "exec/engine_cache.h"
#include "exec/plans.h"

enum { ENGINE_ROWS = 300, ENGINE_COLUMNS = 70 };

static const char engine_text[] = "graph g(T)\n"
                                  "  const @a : f32[200,96]\n"
                                  "  const @b : s8/row[130,200]\n"
                                  "  const @c : bf16[70,130]\n"
                                  "  %x = input : f32[T,96]\n"
                                  "  %y = linear %x, @a {activation=gelu} : f32[T,200]\n"
                                  "  %z = linear %y, @b : f32[T,130]\n"
                                  "  %w = linear %z, @c : f32[T,70]\n"
                                  "  return %w\n";

// One opened model. Files, graph and pool are the caller's.
typedef struct TestEngine {
    Arena arena;
    PackedBlock block;
    Tuning tuning;
    EngineCache *cache;
    Plan *plan;
    bool loaded;
} TestEngine;

// What a TestEngine is opened with.
typedef struct TestModel {
    const char *folder; // of the cache
    const char *file;   // of the weights
    Bytes contents;
    const Graph *graph;
    Kernels kernels;
    Pool *pool;
} TestModel;

static inline Status test_engine_open(const TestModel *model, TestEngine *ret, Error *err) {
    const TuneUse use = TUNE_FEW_ROWS;
    EngineCacheSettings settings = {.folder = model->folder,
                                    .files = &model->file,
                                    .contents = &model->contents,
                                    .file_count = 1,
                                    .graphs = &model->graph,
                                    .graph_count = 1,
                                    .level = model->kernels.level,
                                    .pool = model->pool};
    TRY(packed_block_make(&ret->arena, &model->kernels, &model->graph, 1, &ret->block, err));
    TRY(tuning_make(&ret->arena, &ret->block, &ret->tuning, err));
    TRY(engine_cache_new(&settings, &ret->block, &ret->cache, err));
    ret->loaded = engine_cache_load(ret->cache, &ret->block, &ret->tuning);
    if (!ret->loaded) {
        if (engine_cache_usable(ret->cache))
            TRY(tune_kernels(&ret->tuning, model->kernels.level, &use, &ret->block, err));
        TRY(packed_block_map(&ret->arena, &ret->block, err));
    }
    size_t dims[] = {ENGINE_ROWS};
    PlanSettings plan = {&model->kernels, model->pool, dims, 1, &ret->block};
    TRY(plan_make(&ret->arena, model->graph, &plan, &ret->plan, err));
    if (!ret->loaded && engine_cache_usable(ret->cache)) {
        TRY(tune_tilings(&ret->tuning, model->pool, &use, &ret->block, 20000000, err));
        engine_cache_store(ret->cache, &ret->block, &ret->tuning);
    }
    return OK;
}

static inline void test_engine_close(TestEngine *engine) {
    engine_cache_free(engine->cache);
    arena_done(&engine->arena);
}

// Opens without a failure.
static inline TestEngine test_engine(const TestModel *model) {
    Error err;
    TestEngine engine = {.loaded = false};
    arena_init(&engine.arena, 0);
    CHECK_OK(test_engine_open(model, &engine, &err));
    engine_cache_settle(engine.cache); // its thread reads the block where it lies now
    return engine;
}

// Results for made-up inputs.
static inline void test_engine_run(const TestEngine *engine, size_t rows, float *ret_results) {
    plan_fill_inputs(engine->plan, rows, 1, 9);
    plan_run(engine->plan, &rows, &(StepContext){0});
    Slab y = plan_return(engine->plan, 0);
    for (size_t r = 0; r < rows; r++)
        memcpy(ret_results + r * ENGINE_COLUMNS, (const float *)y.data + r * y.row_stride,
               ENGINE_COLUMNS * sizeof *ret_results);
}

// A model with a file of weights and a folder for its cache, in `scratch`.
static inline TestModel test_model(Scratch *scratch, CpuLevel level, int threads) {
    Error err;
    TestModel model = {.folder = scratch_path(scratch, "cache"), .file = scratch_path(scratch, "weights")};
    model.graph = graph_from(&scratch->arena, engine_text, 3);
    if (path_kind(model.file) == PATH_NONE)
        CHECK_OK(file_replace(model.file, "weights of a test", 17, &err));
    CHECK_OK(file_map(&scratch->arena, model.file, &model.contents, &err));
    kernels_pick(level, &model.kernels);
    CHECK_OK(pool_new(threads, &model.pool, &err));
    return model;
}

static inline void test_model_done(TestModel *model) {
    pool_free(model->pool);
}
