// SPDX-License-Identifier: Apache-2.0
// A request's ids and the bits of its score are the same alone, in any batch, with any number of threads and under
// every instruction set, with FP32 and with INT8 weights: those in tests/golden/stack, on every kind of processor.
// HONE_BLESS=1 writes the files anew.
#include <math.h>

#include "stack/stack.h"

enum { REQUESTS = 24, LONGEST = 60 };

typedef struct Recording {
    Recorded answers[REQUESTS];
    size_t count;
} Recording;

static Recording alone, other;

// Lengths from 2 tokens to nearly all positions; greedy, beams, samples, bans.
static void requests_fill(const Model *model, Fixed requests[REQUESTS]) {
    Random random = {77};
    for (size_t i = 0; i < REQUESTS; i++) {
        Fixed *f = &requests[i];
        f->count = source_draw(&random, model_info(model)->vocabulary, i % 5 == 4 ? LONGEST : 14, f->ids);
        GenerationOptions *o = &f->options;
        *o = *model_generation(model);
        o->max_new_tokens = 4 + (int64_t)random_below(&random, 14);
        switch (i % 6) {
        case 1:
            o->num_beams = 2 + (int64_t)random_below(&random, 3);
            o->num_return_sequences = 2;
            break;
        case 2:
            o->no_repeat_ngram_size = 2;
            o->encoder_no_repeat_ngram_size = 3;
            break;
        case 3:
            o->num_beams = 4;
            o->no_repeat_ngram_size = 3;
            o->early_stopping = EARLY_STOPPING_TRUE;
            o->length_penalty = 2;
            o->repetition_penalty = 1.3;
            break;
        case 4:
            o->do_sample = true;
            o->seed = i;
            o->num_return_sequences = 3;
            break;
        case 5:
            o->do_sample = true;
            o->num_beams = 3;
            o->top_p = 0.9;
            o->temperature = 1.4;
            o->seed = 1000 + i;
            o->min_new_tokens = 3;
            break;
        default:
            break;
        }
    }
}

static Recording *recording;

static void record(void *context, const Answer *answer) {
    const Fixed *requests = context;
    answer_record(answer, &recording->answers[(const Fixed *)answer->user - requests]);
    recording->count++;
}

static KvKind kv_kind; // of all that is recorded

static void record_all(const Model *model, Fixed *requests, CpuLevel level, int threads, size_t batch, Recording *ret) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    memset(ret, 0, sizeof *ret);
    recording = ret;
    Stack *stack = stack_make(&arena, model, level, threads,
                              (EngineSettings){.most_requests = batch,
                                               .kv_kind = kv_kind,
                                               .slices_encoder = batch > 1,
                                               .cached_sources = batch > 1 ? 4 : 0});
    size_t pages = session_free_pages(engine_session(stack->engine));
    for (size_t i = 0; i < REQUESTS; i++) {
        Request request = {requests[i].ids, requests[i].count, requests[i].options, &requests[i]};
        CHECK_OK(engine_submit(stack->engine, &request, &err));
        while (!engine_has_room(stack->engine))
            engine_step(stack->engine, record, requests);
    }
    while (engine_step(stack->engine, record, requests)) {
    }
    ck_assert_uint_eq(ret->count, REQUESTS);
    EngineLoad load = engine_load(stack->engine); // pages that only the cache of sources holds are free
    ck_assert_uint_eq(session_free_pages(engine_session(stack->engine)) + load.cached_pages, pages);
    stack_done(stack);
    arena_done(&arena);
}

static void check_way(const Model *model, Fixed *requests, CpuLevel level, int threads, size_t batch) {
    record_all(model, requests, level, threads, batch, &other);
    for (size_t i = 0; i < REQUESTS; i++)
        ck_assert_msg(memcmp(&other.answers[i], &alone.answers[i], sizeof(Recorded)) == 0,
                      "request %zu differs under %s, batch %zu, %d threads", i, cpu_level_name(level), batch, threads);
}

// The answers to requests alone are those in the golden file: a line for each sequence, scores with all their bits.
static void check_golden(Arena *arena, const char *golden) {
    Error err;
    Buffer text = {0};
    for (size_t i = 0; i < REQUESTS; i++) {
        const Recorded *r = &alone.answers[i];
        const int32_t *id = r->ids;
        for (size_t s = 0; s < r->sequences; s++) {
            buffer_format(&text, "%zu.%zu %d %a", i, s, (int)r->finishes[s], r->scores[s]);
            for (size_t j = 0; j < r->counts[s]; j++)
                buffer_format(&text, " %d", *id++);
            buffer_add_char(&text, '\n');
        }
    }
    CHECK_OK(buffer_status(&text, &err));
    char *path = source_path(arena, golden);
    if (getenv("HONE_BLESS"))
        CHECK_OK(file_replace(path, text.data, text.bytes, &err));
    Bytes wanted;
    CHECK_OK(file_map(arena, path, &wanted, &err));
    ck_assert_msg(wanted.size == text.bytes && memcmp(wanted.data, text.data, text.bytes) == 0, "%s differs; now:\n%s",
                  golden, text.data);
    buffer_done(&text);
}

static void check_company(const char *path, const char *golden) {
    static Fixed requests[REQUESTS];
    Arena arena;
    arena_init(&arena, 0);
    const Model *model = model_of(&arena, path, true);
    requests_fill(model, requests);
    record_all(model, requests, cpu_detect(), 1, 1, &alone);
    check_golden(&arena, golden);
    check_way(model, requests, cpu_detect(), 1, 3);
    check_way(model, requests, cpu_detect(), 2, 3);
    check_way(model, requests, cpu_detect(), 3, 16);
    for (CpuLevel level = CPU_REF; level <= cpu_detect(); level++)
        check_way(model, requests, level, 1, 16);
    arena_done(&arena);
}

START_TEST(test_fp32) {
    Scratch scratch = scratch_make();
    check_company(source_path(&scratch.arena, TINY_BART), "tests/golden/stack/bart.fp32.txt");
    check_company(source_path(&scratch.arena, TINY_MBART), "tests/golden/stack/mbart.fp32.txt");
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_int8) {
    Scratch scratch = scratch_make();
    check_company(quantized_copy(&scratch, source_path(&scratch.arena, TINY_BART), "bart"),
                  "tests/golden/stack/bart.int8.txt");
    check_company(quantized_copy(&scratch, source_path(&scratch.arena, TINY_MBART), "mbart"),
                  "tests/golden/stack/mbart.int8.txt");
    scratch_done(&scratch);
}
END_TEST

// Whatever K and V are kept as, and what they are kept as changes some scores a little and none much.
START_TEST(test_kv_kinds) {
    static Fixed requests[REQUESTS];
    static Recording exact;
    Scratch scratch = scratch_make();
    const char *path = source_path(&scratch.arena, TINY_BART);
    const Model *model = model_of(&scratch.arena, path, true);
    requests_fill(model, requests);
    record_all(model, requests, cpu_detect(), 1, 1, &exact);
    for (kv_kind = KV_F16; kv_kind < KV_KIND_COUNT; kv_kind++) {
        Error err;
        check_company(path,
                      arena_format(&scratch.arena, &err, "tests/golden/stack/bart.kv_%s.txt", kv_kind_name(kv_kind)));
        size_t moved = 0, same = 0;
        for (size_t i = 0; i < REQUESTS; i++) {
            const Recorded *a = &alone.answers[i], *b = &exact.answers[i];
            if (memcmp(a->ids, b->ids, sizeof a->ids) != 0)
                continue;
            same++;
            moved += a->scores[0] != b->scores[0];
            ck_assert_double_le(fabs(a->scores[0] - b->scores[0]), kv_kind == KV_F16 ? 1e-2 : 0.1);
        }
        printf("# K and V as %s: %zu of %d answers have the f32 ids, %zu of them other scores\n", kv_kind_name(kv_kind),
               same, REQUESTS, moved);
        ck_assert_uint_ge(same, REQUESTS / 2);
        ck_assert_uint_ge(moved, same / 2);
    }
    kv_kind = KV_F32;
    scratch_done(&scratch);
}
END_TEST

// The requests are worth comparing: they do not all end in the same few tokens, and INT8 is not FP32 by mistake.
START_TEST(test_requests_differ) {
    static Fixed requests[REQUESTS];
    Scratch scratch = scratch_make();
    const char *path = source_path(&scratch.arena, TINY_BART);
    const Model *model = model_of(&scratch.arena, path, true);
    requests_fill(model, requests);
    record_all(model, requests, cpu_detect(), 1, 16, &alone);
    size_t distinct = 0;
    for (size_t i = 0; i < REQUESTS; i++) {
        bool fresh = true;
        for (size_t j = 0; j < i; j++)
            fresh &= memcmp(alone.answers[i].ids, alone.answers[j].ids, sizeof alone.answers[i].ids) != 0;
        distinct += fresh;
    }
    ck_assert_uint_ge(distinct, REQUESTS / 2);
    const Model *small = model_of(&scratch.arena, quantized_copy(&scratch, path, "int8"), true);
    record_all(small, requests, cpu_detect(), 1, 16, &other);
    size_t scores = 0;
    for (size_t i = 0; i < REQUESTS; i++)
        scores += other.answers[i].scores[0] != alone.answers[i].scores[0];
    ck_assert_uint_ge(scores, REQUESTS / 2);
    scratch_done(&scratch);
}
END_TEST

// Schemes that differ between q, k and v: some projections fuse and some do not, so that the three lie in memory in
// different ways. The bits are those of the graphs as the family built them.
START_TEST(test_mixed_schemes) {
    static const KeepRule rules[][2] = {{{"*v_proj*", STORE_FP16}, {"*.embed*", STORE_FP32}},
                                        {{"*k_proj*", STORE_BF16}, {"*fc2*", STORE_FP16}},
                                        {{"*q_proj*", STORE_FP32}, {"*encoder_attn.v_proj*", STORE_BF16}}};
    static const char *const folders[] = {TINY_BART, TINY_MBART};
    Error err;
    Scratch scratch = scratch_make();
    for (size_t f = 0; f < ARRAY_COUNT(folders); f++)
        for (size_t i = 0; i < ARRAY_COUNT(rules); i++) {
            char name[32];
            snprintf(name, sizeof name, "mixed-%zu-%zu", f, i);
            char *output = scratch_path(&scratch, name);
            QuantizeOptions options = {.scheme = STORE_INT8, .keeps = rules[i], .keep_count = 2};
            RewriteReport report;
            CHECK_OK(quantize_model(&scratch.arena, source_path(&scratch.arena, folders[f]), output, &options, &report,
                                    &err));
            Outputs passed = fixed_outputs(&scratch.arena, output, true);
            Outputs plain = fixed_outputs(&scratch.arena, output, false);
            ck_assert_msg(outputs_equal(&passed, &plain), "%s with rule %zu: the passes change bits", folders[f], i);
        }
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("stack/company", test_fp32, test_int8, test_kv_kinds, test_mixed_schemes, test_requests_differ)
