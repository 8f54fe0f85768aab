// SPDX-License-Identifier: Apache-2.0
// Tuning changes time alone: every kernel and every tiling that may be chosen gives the same bits, what is chosen was
// tried, and a spent budget leaves things as usual.
#include "exec/tune.h"

#include <math.h>

#include "exec/engines.h"

static Error err;
static const TuneUse uses[] = {TUNE_FEW_ROWS, TUNE_MANY_ROWS};
static const size_t row_counts[] = {1, 2, 4, 7, 16, 17, 64, 65, 241, ENGINE_ROWS};

START_TEST(test_every_choice_gives_the_same_bits) {
    static float expected[ENGINE_ROWS * ENGINE_COLUMNS], found[ENGINE_ROWS * ENGINE_COLUMNS];
    static const LinearTiling tilings[] = {{0, 0}, {1, 1}, {240, 1}, {240, 2}, {7, 3}, {64, 1}, {1000, 1000}, {13, 2}};
    Scratch scratch = scratch_make();
    TestModel model = test_model(&scratch, cpu_detect(), 3);
    model.folder = NULL;
    TestEngine usual = test_engine(&model);
    for (size_t v = 0; v < GEMM_MOST_VARIANTS; v++) {
        TestEngine engine = {.loaded = false};
        arena_init(&engine.arena, 0);
        CHECK_OK(packed_block_make(&engine.arena, &model.kernels, &model.graph, 1, &engine.block, &err));
        for (size_t i = 0; i < engine.block.count; i++) {
            const GemmKernel *kernels[GEMM_MOST_VARIANTS];
            size_t count = gemm_variants(cpu_detect(), engine.block.places[i].packed.kind, kernels);
            packed_place_set_kernel(&engine.block.places[i], kernels[v % count]);
        }
        packed_block_lay_out(&engine.block);
        CHECK_OK(packed_block_map(&engine.arena, &engine.block, &err));
        size_t dims[] = {ENGINE_ROWS};
        PlanSettings settings = {&model.kernels, model.pool, dims, 1, &engine.block};
        CHECK_OK(plan_make(&engine.arena, model.graph, &settings, &engine.plan, &err));
        for (size_t t = 0; t < ARRAY_COUNT(tilings); t++) {
            for (size_t i = 0; i < engine.block.count; i++)
                for (size_t c = 0; c < ROW_CLASSES; c++)
                    engine.block.places[i].tilings[c] = tilings[t];
            for (size_t r = 0; r < ARRAY_COUNT(row_counts); r++) {
                test_engine_run(&usual, row_counts[r], expected);
                test_engine_run(&engine, row_counts[r], found);
                ck_assert_mem_eq(expected, found, row_counts[r] * ENGINE_COLUMNS * sizeof *found);
            }
        }
        arena_done(&engine.arena);
    }
    test_engine_close(&usual);
    test_model_done(&model);
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_choices) {
    Scratch scratch = scratch_make();
    TestModel model = test_model(&scratch, cpu_detect(), 2);
    model.folder = NULL;
    for (size_t u = 0; u < ARRAY_COUNT(uses); u++)
        for (uint64_t budget = 0; budget <= 200000000; budget += 200000000) {
            TestEngine engine = test_engine(&model);
            CHECK_OK(tuning_make(&engine.arena, &engine.block, &engine.tuning, &err));
            ck_assert_uint_eq(engine.tuning.count, 3);
            CHECK_OK(tune_tilings(&engine.tuning, model.pool, &uses[u], &engine.block, budget, &err));
            for (size_t i = 0; i < engine.block.count; i++) {
                const PackedPlace *place = &engine.block.places[i];
                const ShapeTuning *shape = tuning_find(&engine.tuning, place);
                ck_assert_ptr_nonnull(shape);
                for (size_t c = 0; c < ROW_CLASSES; c++) {
                    bool tuned = budget && (uses[u] == TUNE_FEW_ROWS ? c < 3 : c >= 3);
                    ck_assert_int_eq(shape->classes[c].count > 0, tuned && shape->classes[c].count);
                    ck_assert_uint_eq(place->tilings[c].most_rows != 0, shape->classes[c].count != 0);
                    for (uint32_t t = 0; t < shape->classes[c].count; t++) {
                        ck_assert(shape->classes[c].us[t] > 0);
                        ck_assert(shape->classes[c].us[shape->classes[c].chosen] <= shape->classes[c].us[t] * 1.04f);
                    }
                }
                if (budget) // the first class of this use always had time
                    ck_assert_uint_gt(shape->classes[uses[u] == TUNE_FEW_ROWS ? 0 : 4].count, 0);
            }
            test_engine_close(&engine);
        }
    test_model_done(&model);
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_kernels) {
    Scratch scratch = scratch_make();
    for (CpuLevel level = CPU_REF; level <= cpu_detect(); level++) {
        TestModel model = test_model(&scratch, level, 1);
        Arena arena;
        arena_init(&arena, 0);
        PackedBlock block;
        Tuning tuning;
        CHECK_OK(packed_block_make(&arena, &model.kernels, &model.graph, 1, &block, &err));
        CHECK_OK(tuning_make(&arena, &block, &tuning, &err));
        CHECK_OK(tune_kernels(&tuning, level, uses, &block, &err));
        size_t bytes = 0;
        for (size_t i = 0; i < block.count; i++) {
            const GemmKernel *kernels[GEMM_MOST_VARIANTS];
            size_t count = gemm_variants(level, block.places[i].packed.kind, kernels);
            const ShapeTuning *shape = tuning_find(&tuning, &block.places[i]);
            ck_assert_uint_eq(shape->kernel_count, count > 1 ? count : 0);
            float chosen = 0, least = INFINITY;
            for (size_t k = 0; k < shape->kernel_count; k++) {
                ck_assert_str_eq(shape->kernels[k].name, kernels[k]->name);
                ck_assert(shape->kernels[k].us > 0);
                least = shape->kernels[k].us < least ? shape->kernels[k].us : least;
                if (kernels[k] == block.places[i].packed.gemm)
                    chosen = shape->kernels[k].us;
            }
            ck_assert(chosen <= least * 1.04f || count < 2);
            ck_assert_uint_eq(block.places[i].offset, bytes);
            bytes += (block.places[i].bytes + 63) / 64 * 64;
        }
        ck_assert_uint_eq(block.bytes, bytes);
        arena_done(&arena);
        test_model_done(&model);
    }
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("tune", test_every_choice_gives_the_same_bits, test_choices, test_kernels)
