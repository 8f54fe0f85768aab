// SPDX-License-Identifier: Apache-2.0
// What K and V are kept as: how far logits move from those of f32, that they are the same bits token by token or all at
// once under every instruction set, and what a page takes. Attention over long sources takes scratch for a few query
// rows, never for queries times keys.
#include <math.h>

#include "exec/plans.h"
#include "stack/stack.h"

// The largest difference of a logit, as a share of the largest logit.
static double farthest(const Outputs *a, const Outputs *b) {
    double worst = 0, largest = 0;
    ck_assert_uint_eq(a->logit_count, b->logit_count);
    for (size_t i = 0; i < a->logit_count; i++) {
        double apart = fabs((double)a->logits[i] - (double)b->logits[i]);
        worst = apart <= worst ? worst : apart; // NaN is worst
        largest = fmax(largest, fabs((double)b->logits[i]));
    }
    return worst / largest;
}

// These models have random weights and sharp attention, which makes much of little; more so where activations of 8 bits
// round the other way.
static void check_logits(Scratch *scratch, const char *path, double much) {
    static const int32_t ids[] = {0, 5, 17, 40, 8, 8, 31, 22, 4, 3, 9, 33, 12, 25, 6, 7, 19, 44, 51, 23, 2};
    static const int32_t decoder[] = {2, 0, 14, 14, 30, 9, 27, 41, 5, 5, 60, 18, 33, 7, 21, 8, 11, 12};
    static const Item item = {ids, NULL, decoder, ARRAY_COUNT(ids), ARRAY_COUNT(decoder)};
    static const double bounds[KV_KIND_COUNT] = {0, 0.01, 0.05};
    const Model *model = model_of(&scratch->arena, path, true);
    Outputs exact = item_run(&scratch->arena, model, cpu_detect(), &item, false);
    for (KvKind kind = KV_F16; kind < KV_KIND_COUNT; kind++) {
        Outputs ref = item_run_kept(&scratch->arena, model, CPU_REF, &item, false, kind);
        double apart = farthest(&ref, &exact);
        printf("# %s: logits move by %.5f of the largest\n", kv_kind_name(kind), apart);
        ck_assert_msg(apart > 0 && apart < bounds[kind] * much, "%s: logits move by %g of the largest",
                      kv_kind_name(kind), apart);
        for (CpuLevel level = CPU_REF; level <= cpu_detect(); level++)
            for (int by_token = 0; by_token < 2; by_token++) {
                Outputs out = item_run_kept(&scratch->arena, model, level, &item, by_token, kind);
                ck_assert_msg(outputs_equal(&out, &ref), "%s under %s, by token %d: other bits", kv_kind_name(kind),
                              cpu_level_name(level), by_token);
            }
    }
}

START_TEST(test_logits) {
    Scratch scratch = scratch_make();
    check_logits(&scratch, source_path(&scratch.arena, TINY_BART), 1);
    check_logits(&scratch, source_path(&scratch.arena, TINY_MBART), 1);
    // With weights of 8 bits, int8 takes the encoder's own attention with it.
    check_logits(&scratch, quantized_copy(&scratch, source_path(&scratch.arena, TINY_BART), "bart"), 10);
    check_logits(&scratch, quantized_copy(&scratch, source_path(&scratch.arena, TINY_MBART), "mbart"), 10);
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_page_bytes) {
    Scratch scratch = scratch_make();
    const Model *model = model_of(&scratch.arena, source_path(&scratch.arena, TINY_BART), true);
    const SessionModel *m = model_session(model);
    size_t plain = KV_BLOCK_TOKENS * 2 * sizeof(float) * m->width * m->decoder_layers;
    ck_assert_uint_eq(session_page_bytes(m, KV_F32), plain);
    ck_assert_uint_eq(session_page_bytes(m, KV_F16), plain / 2);
    ck_assert_uint_gt(session_page_bytes(m, KV_S8), plain / 4);
    ck_assert_uint_lt(session_page_bytes(m, KV_S8), plain / 2);
    for (KvKind kind = 0; kind < KV_KIND_COUNT; kind++) { // a budget holds more pages of fewer bytes
        EngineSettings settings = {.most_requests = 8, .kv_bytes = (size_t)40 * plain, .kv_kind = kind};
        Stack *stack = stack_make(&scratch.arena, model, CPU_REF, 1, settings);
        size_t pages = session_free_pages(engine_session(stack->engine));
        ck_assert_uint_eq(session_memory(engine_session(stack->engine)).kv_bytes, pages * session_page_bytes(m, kind));
        ck_assert_uint_eq(pages, 40 * plain / session_page_bytes(m, kind));
        stack_done(stack);
    }
    scratch_done(&scratch);
}
END_TEST

// Scratch of the three attention operators for a source of `keys` tokens, `threads` threads.
static size_t scratch_of(const char *text, size_t rows, int threads, size_t keys) {
    Arena arena;
    arena_init(&arena, 0);
    Node **node = graph_from(&arena, text, 1)->nodes;
    while (!op_def((*node)->op)->scratch_bytes)
        node++;
    size_t bytes = op_def((*node)->op)->scratch_bytes(*node, rows, threads, keys);
    arena_done(&arena);
    return bytes;
}

START_TEST(test_scratch_of_long_sources) {
    static const char self[] = "graph g(T)\n  %q = input : f32[T,64]\n  %k = input : f32[T,64]\n"
                               "  %v = input : f32[T,64]\n"
                               "  %y = attention %q, %k, %v {heads=4, scale=0.25} : f32[T,64]\n  return %y\n";
    static const char cross[] = "graph g(T)\n  %q = input : f32[T,64]\n"
                                "  %y = attention_cross %q {heads=4, layer=0, scale=0.25} : f32[T,64]\n"
                                "  return %y\n";
    for (size_t keys = 64; keys <= 16384; keys *= 2) {
        size_t worker = ATTENTION_QUERY_ROWS * keys * sizeof(float); // as kernel/attention.h has it
        ck_assert_uint_eq(scratch_of(cross, 8, 3, keys), 3 * worker);
        ck_assert_uint_eq(scratch_of(self, keys, 3, keys) - scratch_of(self, keys, 2, keys), worker);
        // The rest are K and V in blocks, and their numbers: at worst a block for each row.
        size_t blocks = keys + keys / KV_BLOCK_TOKENS;
        ck_assert_uint_le(scratch_of(self, keys, 1, keys),
                          worker + blocks * (KV_BLOCK_TOKENS * 2 * 64 * sizeof(float) + sizeof(int32_t)) + 64);
    }
    ck_assert_uint_lt(scratch_of(cross, 1024, 1, 1024), 1024 * 1024 * sizeof(float) / 32);
}
END_TEST

TEST_MAIN("stack/kv", test_logits, test_page_bytes, test_scratch_of_long_sources)
