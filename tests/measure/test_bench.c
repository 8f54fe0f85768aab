// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "base/scratch.h"
#include "measure/bench.h"
#include "measure/process.h"

static Error err;

static const int32_t ids[] = {0, 9, 30, 41, 52, 17, 2};

enum { ROWS = 5 };

// Sources of 7, 5, 3, 5 and 4 ids.
static DataSet rows_make(DataRow *rows) {
    static const size_t lengths[ROWS] = {7, 5, 3, 5, 4};
    for (size_t i = 0; i < ROWS; i++)
        rows[i] = (DataRow){.ids = ids, .id_count = lengths[i]};
    return (DataSet){rows, ROWS, true};
}

static BenchModel model_make(Arena *arena, const BenchWork *work) {
    const char *source = getenv("HONE_SOURCE");
    return (BenchModel){path_join(arena, source ? source : ".", "tests/golden/engine/tiny_bart", &err), .work = work};
}

static BenchWork work_make(Arena *arena, const DataSet *set, size_t batch) {
    BenchWork work = {.runtime = {.level = cpu_detect(), .threads = 1, .batch = batch}};
    CHECK_OK(bench_work_fill(arena, set, batch, &work, &err));
    return work;
}

START_TEST(batches_are_sorted) {
    Arena arena;
    arena_init(&arena, 0);
    DataRow rows[ROWS];
    DataSet set = rows_make(rows);
    BenchWork one = work_make(&arena, &set, 1), two = work_make(&arena, &set, 2);
    static const size_t sorted[ROWS] = {3, 5, 2, 4, 1};
    ck_assert_uint_eq(bench_batches(&one), 5);
    ck_assert_uint_eq(bench_batches(&two), 3);
    for (size_t i = 0; i < ROWS; i++) {
        ck_assert_uint_eq(one.numbers[i], i + 1);
        ck_assert_uint_eq(one.lengths[i], rows[i].id_count);
        ck_assert_uint_eq(two.numbers[i], sorted[i]);
        ck_assert_uint_eq(two.lengths[i], rows[sorted[i] - 1].id_count);
        ck_assert_ptr_eq(two.sources[i], ids);
    }
    arena_done(&arena);
}
END_TEST

START_TEST(failures_name_model_and_sample) {
    static const int32_t strange[] = {0, 500, 2};
    Arena arena;
    arena_init(&arena, 0);
    DataRow rows[ROWS];
    DataSet set = rows_make(rows);
    rows[3].ids = strange;
    rows[3].id_count = 3;
    BenchWork work = work_make(&arena, &set, 2); // the strange one is the second to run
    BenchModel models[] = {model_make(&arena, &work), model_make(&arena, &work)};
    BenchTurns turns = {.passes = 1};
    CHECK_FAILS(bench_turns(&arena, models, 2, &turns, &err), ERR_FORMAT, "tiny_bart': sample 4: ");
    models[1].path = "nowhere";
    CHECK_FAILS(bench_turns(&arena, models, 2, &turns, &err), ERR_IO, "nowhere");
    arena_done(&arena);
}
END_TEST

// Processes come and go while their parent is writing: what it has begun stays.
START_TEST(half_written_files_stay) {
    Scratch scratch = scratch_make();
    DataRow rows[ROWS];
    DataSet set = rows_make(rows);
    BenchWork work = work_make(&scratch.arena, &set, 1);
    BenchModel model = model_make(&scratch.arena, &work);
    char *path = scratch_path(&scratch, "file");
    FileWriter *writer;
    CHECK_OK(file_create(path, &writer, &err));
    CHECK_OK(file_write(writer, "words", 5, &err));
    CHECK_OK(bench_turns(&scratch.arena, &model, 1, &(BenchTurns){.passes = 2}, &err));
    for (size_t i = 0; i < 2 * ROWS; i++)
        ck_assert(model.times_ns[i] > 0);
    CHECK_OK(file_commit(writer, &err));
    ck_assert_int_eq(path_kind(path), PATH_FILE);
    scratch_done(&scratch);
}
END_TEST

// What the parent has, and what it has freed, is no memory of the model's.
START_TEST(memory_is_the_models_own) {
    enum { BLOCKS = 600, BLOCK_BYTES = 100000 };
    static char *blocks[BLOCKS];
    Arena arena;
    arena_init(&arena, 0);
    DataRow rows[ROWS];
    DataSet set = rows_make(rows);
    BenchWork work = work_make(&arena, &set, 1);
    BenchModel models[] = {model_make(&arena, &work), model_make(&arena, &work)};
    BenchTurns turns = {.passes = 1};
    CHECK_OK(bench_turns(&arena, &models[0], 1, &turns, &err));
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = memory_new(1, BLOCK_BYTES, &err);
        ck_assert_ptr_nonnull(blocks[i]);
        memset(blocks[i], 1, BLOCK_BYTES);
    }
    for (size_t i = 0; i < BLOCKS; i += 2) // one free block would be touched as a whole under MALLOC_PERTURB_
        memory_free(blocks[i]);
    ProcessMemory held, trimmed;
    CHECK_OK(process_memory(&held, &err));
    memory_trim();
    CHECK_OK(process_memory(&trimmed, &err));
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(HONE_SANITIZED)
    ck_assert_uint_gt(held.own_bytes, trimmed.own_bytes + BLOCKS / 3 * BLOCK_BYTES);
#endif
    CHECK_OK(bench_turns(&arena, &models[1], 1, &turns, &err));
    double before = models[0].report.peak_rss_mb, after = models[1].report.peak_rss_mb;
    ck_assert_msg(before > 0.5 && after > before - 8 && after < before + 8, "%.1f MB, then %.1f MB", before, after);
    for (size_t i = 1; i < BLOCKS; i += 2)
        memory_free(blocks[i]);
    arena_done(&arena);
}
END_TEST

TEST_MAIN("measure/bench", batches_are_sorted, failures_name_model_and_sample, half_written_files_stay,
          memory_is_the_models_own)
