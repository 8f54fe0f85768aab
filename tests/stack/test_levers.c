// SPDX-License-Identifier: Apache-2.0
// The screen of the head and lookup decoding change nothing: ids, the bits of scores and finishes are those of an
// engine without them, for every kind of request, in company, with FP32 and INT8 heads, on small random models and on
// the trained one over its test set (HONE_LEVERS_ROWS: how many rows; HONE_LEVERS_DATA: other rows).
#include <math.h>

#include "base/memory.h"
#include "measure/data.h"
#include "stack/stack.h"
#include "text/tokenizer.h"

enum { MOST_REQUESTS = 520 };

static Fixed requests[MOST_REQUESTS];
static size_t request_count;
static Recorded plain[MOST_REQUESTS], levered[MOST_REQUESTS], *recording;
static size_t recorded;

static void record(void *context, const Answer *answer) {
    (void)context;
    answer_record(answer, &recording[(const Fixed *)answer->user - requests]);
    recorded++;
}

static EngineCounts record_all(const Model *model, EngineSettings settings, int threads, Recorded *ret) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    memset(ret, 0, sizeof plain);
    recording = ret;
    recorded = 0;
    Stack *stack = stack_make(&arena, model, cpu_detect(), threads, settings);
    size_t pages = session_free_pages(engine_session(stack->engine));
    ck_assert_ptr_null(engine_screen_refusal(stack->engine));
    for (size_t i = 0; i < request_count; i++) {
        Request request = {requests[i].ids, requests[i].count, requests[i].options, &requests[i]};
        CHECK_OK(engine_submit(stack->engine, &request, &err));
        while (!engine_has_room(stack->engine))
            engine_step(stack->engine, record, NULL);
    }
    while (engine_step(stack->engine, record, NULL)) {
    }
    ck_assert_uint_eq(recorded, request_count);
    ck_assert_uint_eq(session_free_pages(engine_session(stack->engine)), pages);
    EngineCounts counts = engine_counts(stack->engine);
    stack_done(stack);
    arena_done(&arena);
    return counts;
}

static EngineCounts check_levers(const Model *model, EngineSettings settings, int threads) {
    EngineCounts counts = record_all(model, settings, threads, levered);
    for (size_t i = 0; i < request_count; i++)
        ck_assert_msg(memcmp(&levered[i], &plain[i], sizeof(Recorded)) == 0,
                      "request %zu differs: batch %zu, %d threads, screen %d, lookup %d", i, settings.most_requests,
                      threads, settings.lm_head_screen, settings.lookup_decoding);
    return counts;
}

static void check_all_levers(const Model *model) {
    record_all(model, (EngineSettings){.most_requests = 1}, 1, plain);
    check_levers(model, (EngineSettings){.most_requests = 1, .lm_head_screen = true}, 1);
    check_levers(model, (EngineSettings){.most_requests = 1, .lookup_decoding = true}, 1);
    EngineSettings both = {.most_requests = 5, .lm_head_screen = true, .lookup_decoding = true};
    EngineCounts counts = check_levers(model, both, 2);
    ck_assert_uint_gt(counts.screened_rows, counts.greedy_steps);
    ck_assert_uint_ge(counts.guessed, counts.guessed_right);
    both.most_rows = 6; // hardly room for guesses
    check_levers(model, both, 3);
}

// Lengths from 2 tokens up; greedy ones with bans, penalties and forced tokens, beams and samples beside them.
static void random_requests(const Model *model, size_t count) {
    Random random = {99};
    request_count = count;
    for (size_t i = 0; i < count; i++) {
        Fixed *f = &requests[i];
        f->count = source_draw(&random, model_info(model)->vocabulary, i % 5 == 4 ? 60 : 14, f->ids);
        GenerationOptions *o = &f->options;
        *o = *model_generation(model);
        o->max_new_tokens = 4 + (int64_t)random_below(&random, 30);
        switch (i % 8) {
        case 1:
            o->num_beams = o->num_return_sequences = 2;
            break;
        case 2:
            o->no_repeat_ngram_size = 2;
            o->encoder_no_repeat_ngram_size = 3;
            break;
        case 3:
            o->repetition_penalty = 1.3;
            break;
        case 4:
            o->do_sample = true;
            o->seed = i;
            o->num_return_sequences = 2;
            break;
        case 5:
            o->min_new_tokens = o->max_new_tokens;
            break;
        case 6:
            o->forced_bos_token_id = 5;
            break;
        default:
            break;
        }
    }
}

static void check_random(const char *path) {
    Arena arena;
    arena_init(&arena, 0);
    const Model *model = model_of(&arena, path, true);
    random_requests(model, 40);
    check_all_levers(model);
    arena_done(&arena);
}

START_TEST(test_random_fp32) {
    Scratch scratch = scratch_make();
    check_random(source_path(&scratch.arena, TINY_BART));
    check_random(source_path(&scratch.arena, TINY_MBART));
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_random_int8) {
    Scratch scratch = scratch_make();
    check_random(quantized_copy(&scratch, source_path(&scratch.arena, TINY_BART), "bart"));
    check_random(quantized_copy(&scratch, source_path(&scratch.arena, TINY_MBART), "mbart"));
    scratch_done(&scratch);
}
END_TEST

// Once warm, submitting and decoding allocate nothing, guesses, kept states and catch-ups included.
START_TEST(test_no_allocations) {
    Error err;
    Scratch scratch = scratch_make();
    const Model *model = model_of(&scratch.arena, source_path(&scratch.arena, TINY_BART), true);
    random_requests(model, 40);
    EngineSettings settings = {.most_requests = 1, .lm_head_screen = true, .lookup_decoding = true};
    Stack *stack = stack_make(&scratch.arena, model, cpu_detect(), 2, settings);
    recording = plain;
    uint64_t warm = 0;
    for (int pass = 0; pass < 3; pass++) {
        for (size_t i = 0; i < request_count; i++) {
            Request request = {requests[i].ids, requests[i].count, requests[i].options, &requests[i]};
            CHECK_OK(engine_submit(stack->engine, &request, &err));
            while (engine_step(stack->engine, record, NULL)) {
            }
        }
        ck_assert(pass < 2 || memory_allocations() == warm);
        warm = memory_allocations();
    }
    stack_done(stack);
    scratch_done(&scratch);
}
END_TEST

#define DEMO "demo/model"

// Requests of the demo's test set, or of the file that HONE_LEVERS_DATA names.
static void demo_requests(Scratch *scratch, const Model *model, int64_t beams) {
    Error err;
    const char *file = getenv("HONE_LEVERS_DATA"), *rows = getenv("HONE_LEVERS_ROWS");
    size_t count = rows ? (size_t)strtoull(rows, NULL, 10) : 24;
    DataSet set;
    ck_assert_uint_le(count, MOST_REQUESTS);
    CHECK_OK(data_read(&scratch->arena, file ? file : source_path(&scratch->arena, "demo/test.jsonl"), count, true,
                       &set, &err));
    Encoder *encoder = NULL;
    CHECK_OK(encoder_new(model_tokenizer(model), &encoder, &err));
    Truncation cut = {.max_tokens = MOST_SOURCE};
    request_count = set.count < count ? set.count : count;
    for (size_t i = 0; i < request_count; i++) {
        Encoding encoding;
        EncodeOptions options = {.add_special = true, .truncation = &cut};
        CHECK_OK(
            encoder_encode(encoder, set.rows[i].source, set.rows[i].source_bytes, NULL, 0, options, &encoding, &err));
        memcpy(requests[i].ids, encoding.ids, encoding.count * sizeof *encoding.ids);
        requests[i].count = encoding.count;
        requests[i].options = *model_generation(model);
        requests[i].options.max_new_tokens = 80;
        requests[i].options.num_beams = beams;
    }
    encoder_free(encoder);
}

static void check_demo(Scratch *scratch, const char *path, const char *name) {
    const Model *model = model_of(&scratch->arena, path, true);
    demo_requests(scratch, model, 1);
    record_all(model, (EngineSettings){.most_requests = 4}, 2, plain);
    EngineCounts counts = check_levers(model, (EngineSettings){.most_requests = 4, .lm_head_screen = true}, 2);
    printf("# %s greedy: screened %llu, unproven %llu, rescored %llu\n", name, (unsigned long long)counts.screened_rows,
           (unsigned long long)counts.unproven_rows, (unsigned long long)counts.rescored_words);
    counts =
        check_levers(model, (EngineSettings){.most_requests = 4, .lm_head_screen = true, .lookup_decoding = true}, 2);
    printf("# %s lookup: steps %llu, guessed %llu, right %llu\n", name, (unsigned long long)counts.greedy_steps,
           (unsigned long long)counts.guessed, (unsigned long long)counts.guessed_right);
    ck_assert_uint_gt(counts.screened_rows, 2 * counts.unproven_rows); // most steps are decided by the screen
    ck_assert_uint_gt(counts.guessed_right, 0);
    demo_requests(scratch, model, 4);
    record_all(model, (EngineSettings){.most_requests = 4}, 2, plain);
    counts = check_levers(model, (EngineSettings){.most_requests = 4, .lm_head_screen = true}, 2);
    printf("# %s beams: screened %llu, unproven %llu\n", name, (unsigned long long)counts.screened_rows,
           (unsigned long long)counts.unproven_rows);
}

START_TEST(test_demo_fp32) {
    Scratch scratch = scratch_make();
    check_demo(&scratch, source_path(&scratch.arena, DEMO), "fp32");
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_demo_int8) {
    Scratch scratch = scratch_make();
    check_demo(&scratch, quantized_copy(&scratch, source_path(&scratch.arena, DEMO), "demo"), "int8");
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("stack/levers", test_random_fp32, test_random_int8, test_no_allocations, test_demo_fp32, test_demo_int8)
