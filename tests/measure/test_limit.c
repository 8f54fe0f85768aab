// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <math.h>
#include <unistd.h>

#include "base/file.h"
#include "compress/quantize.h"
#include "engine/runtime.h"
#include "measure/limit.h"

// The shape of tests/golden/engine/tiny_bart.
enum { D = 32, ENCODER_FFN = 48, DECODER_FFN = 32, DECODER_LAYERS = 2, VOCABULARY = 96 };
enum { ENCODER_LINEAR = 4 * D * D + 2 * D * ENCODER_FFN + DECODER_LAYERS * 2 * D * D }; // with the cross K and V
enum { DECODER_LINEAR = DECODER_LAYERS * (6 * D * D + 2 * D * DECODER_FFN), HEAD_LINEAR = D * VOCABULARY };

static Runtime *runtime_of(Arena *arena, const char *path) {
    Error err;
    if (!path) {
        const char *source = getenv("HONE_SOURCE");
        path = arena_format(arena, &err, "%s/tests/golden/engine/tiny_bart", source ? source : ".");
    }
    Runtime *runtime;
    RuntimeSettings settings = {.level = CPU_REF, .threads = 1, .batch = 4};
    CHECK_OK(runtime_new(path, &settings, &runtime, &err));
    return runtime;
}

static const size_t lengths[] = {8, 8, 8, 8};

static LimitWork work_make(size_t batch, size_t new_tokens, size_t beams) {
    return (LimitWork){
        .source_tokens = lengths, .samples = 4, .batch = batch, .new_tokens = new_tokens, .beams = beams};
}

// With reading for free, the time of the multiplications, counted here by the formulas of the architecture.
START_TEST(arithmetic) {
    Arena arena;
    arena_init(&arena, 0);
    Runtime *runtime = runtime_of(&arena, NULL);
    const Session *session = engine_session(runtime->engine);
    MachineSpeed speed = {INFINITY, 1e9, 1e300};
    for (size_t batch = 1; batch <= 4; batch *= 2) {
        double encode = 8 * (2.0 * ENCODER_LINEAR + 4 * D * 8);
        double step =
            2.0 * (DECODER_LINEAR + HEAD_LINEAR) + DECODER_LAYERS * 4.0 * D * (8 + 3); // past: 3 of 5 steps' mean
        LimitWork one = work_make(batch, 5, 1), four = work_make(batch, 5, 4);
        ck_assert_double_eq_tol(limit_ms_at(session, &one, &speed, 0), (encode + 5 * step) / 1e6, 1e-9);
        ck_assert_double_eq_tol(limit_ms_at(session, &four, &speed, 0), (encode + step + 4 * 4 * step) / 1e6, 1e-9);
    }
    runtime_free(runtime);
    arena_done(&arena);
}
END_TEST

// With arithmetic for free, the time to read: weights once a step for a whole batch, K and V beyond the cache.
START_TEST(reading) {
    Arena arena;
    arena_init(&arena, 0);
    Runtime *runtime = runtime_of(&arena, NULL);
    const Session *session = engine_session(runtime->engine);
    MachineSpeed speed = {1e9, 1e300, 1e300};
    LimitWork alone = work_make(1, 5, 1), together = work_make(4, 5, 4);
    double bytes = 4.0 * (ENCODER_LINEAR + 5 * (DECODER_LINEAR + HEAD_LINEAR));
    ck_assert_double_eq_tol(limit_ms_at(session, &alone, &speed, 0), bytes / 1e6, bytes / 1e6 * 0.02); // and padding
    ck_assert_double_ge(limit_ms_at(session, &alone, &speed, 0), bytes / 1e6 * (1 - 1e-9));
    ck_assert_double_eq_tol(limit_ms_at(session, &together, &speed, 0), limit_ms_at(session, &alone, &speed, 0) / 4,
                            1e-9);
    ck_assert_double_le(limit_ms_at(session, &alone, &speed, 1 << 30), 1e-200);
    double without = limit_ms_at(session, &together, &speed, 0);
    together.kv_token_bytes = 1000;
    // 32 source tokens and 3 of the past for each of 4 sources are 44 KB a step, in 5 steps, for 4 samples
    ck_assert_double_eq_tol(limit_ms_at(session, &together, &speed, 0), without + 5 * 44000 / 1e6 / 4, 1e-9);
    ck_assert_double_eq_tol(limit_ms_at(session, &together, &speed, 4000), without + 5 * 40000 / 1e6 / 4, 1e-9);
    runtime_free(runtime);
    arena_done(&arena);
}
END_TEST

static void folder_remove(Arena *arena, const char *path) {
    Error err;
    char **names;
    size_t count;
    CHECK_OK(folder_list(arena, path, &names, &count, &err));
    for (size_t i = 0; i < count; i++)
        unlink(path_join(arena, path, names[i], &err));
    rmdir(path);
}

// Smaller weights are read in less time and multiplied at the integer peak.
// `kept` is how many of the encoder's weights stay real numbers.
static void check_scheme(WeightScheme scheme, double kept, double least_byte, double most_byte) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    const char *source = getenv("HONE_SOURCE");
    char *tiny = arena_format(&arena, &err, "%s/tests/golden/engine/tiny_bart", source ? source : ".");
    char folder[64];
    snprintf(folder, sizeof folder, "/tmp/hone-limit-%d-%d", (int)getpid(), (int)scheme);
    RewriteReport report;
    QuantizeOptions options = {.scheme = scheme, .embeddings = STORE_AS_IS};
    CHECK_OK(quantize_model(&arena, tiny, folder, &options, &report, &err));
    Runtime *runtime = runtime_of(&arena, folder);
    const Session *session = engine_session(runtime->engine);
    LimitWork work = work_make(1, 5, 1);
    double weights = ENCODER_LINEAR + 5.0 * (DECODER_LINEAR + HEAD_LINEAR);
    MachineSpeed reads = {1e9, 1e300, 1e300}, integers = {INFINITY, 1e300, 1e9}, floats = {INFINITY, 1e9, 1e300};
    double bytes = limit_ms_at(session, &work, &reads, 0) * 1e6 / weights;
    ck_assert_msg(bytes >= least_byte && bytes <= most_byte, "a weight has %g bytes", bytes);
    double linear = 2.0 * (8.0 * (ENCODER_LINEAR - kept) + 5.0 * (DECODER_LINEAR + HEAD_LINEAR));
    double rest = 2 * 8 * kept + 8.0 * 4 * D * 8 + 5 * DECODER_LAYERS * 4.0 * D * (8 + 3);
    ck_assert_double_eq_tol(limit_ms_at(session, &work, &integers, 0), linear / 1e6, 1e-9);
    ck_assert_double_eq_tol(limit_ms_at(session, &work, &floats, 0), rest / 1e6, 1e-9);
    runtime_free(runtime);
    folder_remove(&arena, folder);
    arena_done(&arena);
}

START_TEST(int8_weights) {
    check_scheme(STORE_INT8, 0, 1, 1.3); // and scales, sums and padding of rows of 32
}
END_TEST

START_TEST(four_bits) {
    check_scheme(STORE_NF4, D * ENCODER_FFN, 0.5, 1.1); // rows of 48 are no whole blocks
}
END_TEST

// The slower of both counts, and a faster machine never has a higher limit.
START_TEST(monotone) {
    Arena arena;
    arena_init(&arena, 0);
    Runtime *runtime = runtime_of(&arena, NULL);
    const Session *session = engine_session(runtime->engine);
    LimitWork work = work_make(2, 7, 3);
    double last = INFINITY;
    for (double fast = 1e6; fast < 1e12; fast *= 3) {
        MachineSpeed speed = {fast, 10 * fast, 40 * fast}, only_reads = {fast, 1e300, 1e300},
                     only_counts = {INFINITY, 10 * fast, 40 * fast};
        double limit = limit_ms_at(session, &work, &speed, 0), reads = limit_ms_at(session, &work, &only_reads, 0),
               counts = limit_ms_at(session, &work, &only_counts, 0);
        ck_assert(limit < last && limit >= reads && limit >= counts && limit <= (reads + counts) * (1 + 1e-12));
        last = limit;
    }
    runtime_free(runtime);
    arena_done(&arena);
}
END_TEST

TEST_MAIN("measure/limit", arithmetic, reading, int8_weights, four_bits, monotone)
