// SPDX-License-Identifier: Apache-2.0
// The pool of K/V pages comes back whole after thousands of random requests, bad ones among them, and a bad request
// fails alone, with a sentence. Decoding allocates nothing once warm.
#include "stack/stack.h"

enum { ROUNDS = 4000, MOST_TOKENS = 70, BATCH = 12 };

typedef struct Place {
    int32_t ids[MOST_TOKENS];
    bool busy;
} Place;

typedef struct Tally {
    size_t answered, failed;
} Tally;

static void on_answer(void *context, const Answer *answer) {
    Tally *tally = context;
    ((Place *)answer->user)->busy = false;
    tally->answered++;
    tally->failed += answer->error != NULL;
}

static GenerationOptions options_draw(Random *random, const Model *model) {
    GenerationOptions options = *model_generation(model);
    options.max_new_tokens = 1 + (int64_t)random_below(random, 24);
    options.num_beams = random_below(random, 3) ? 1 : 1 + (int64_t)random_below(random, 8);
    options.do_sample = random_below(random, 4) == 0;
    options.seed = random_next(random);
    if (random_below(random, 3) == 0)
        options.no_repeat_ngram_size = 2;
    return options;
}

// Spoils a request; what the refusal has to say.
static const char *request_spoil(Random *random, Request *request, int32_t *ids) {
    switch (random_below(random, 6)) {
    case 0:
        request->count = 0;
        return "the source has no tokens";
    case 1:
        request->count = 65;
        return "65 tokens, but the model has 64 positions";
    case 2:
        ids[random_below(random, (uint32_t)request->count)] = 96;
        return "is 96, but the model's vocabulary has ids 0 to 95";
    case 3:
        ids[0] = -1;
        return "token 0 of the source is -1";
    case 4:
        request->options.num_beams = BATCH * 8 + 1;
        return "rows of a step";
    default:
        request->options.max_new_tokens = 65;
        return "65 new tokens are wanted, but the model has 64 positions";
    }
}

START_TEST(test_pool_comes_back_whole) {
    Error err;
    Scratch scratch = scratch_make();
    const Model *model = model_of(&scratch.arena, source_path(&scratch.arena, TINY_BART), true);
    // Few pages, so that admission waits for pages as well as for rows.
    EngineSettings settings = {.most_requests = BATCH, .most_rows = 40, .kv_bytes = 1};
    Stack *stack = stack_make(&scratch.arena, model, cpu_detect(), 1, settings);
    size_t pages = session_free_pages(engine_session(stack->engine)), refused = 0, sent = 0, least = pages;
    static Place places[BATCH];
    Random random = {5};
    Tally tally = {0};
    for (size_t round = 0; round < ROUNDS; round++) {
        Place *place = places;
        while (place < places + BATCH && place->busy)
            place++;
        if (place < places + BATCH) {
            Request request = {place->ids, source_draw(&random, 96, 60, place->ids), options_draw(&random, model),
                               place};
            if (random_below(&random, 4) == 0) {
                const char *text = request_spoil(&random, &request, place->ids);
                Status status = engine_submit(stack->engine, &request, &err);
                ck_assert(status == ERR_USAGE || status == ERR_LIMIT);
                ck_assert_msg(strstr(err.message, text) != NULL, "'%s' lacks '%s'", err.message, text);
                refused++;
            } else {
                CHECK_OK(engine_submit(stack->engine, &request, &err));
                place->busy = true;
                sent++;
            }
        }
        engine_step(stack->engine, on_answer, &tally);
        size_t free_pages = session_free_pages(engine_session(stack->engine));
        ck_assert_uint_le(free_pages, pages);
        least = free_pages < least ? free_pages : least;
    }
    while (engine_step(stack->engine, on_answer, &tally)) {
    }
    ck_assert_uint_eq(tally.answered, sent);
    ck_assert_uint_eq(tally.failed, 0);
    ck_assert_uint_gt(sent, ROUNDS / 4);
    ck_assert_uint_gt(refused, ROUNDS / 20);
    ck_assert_uint_le(least, 5); // requests had to wait for pages
    ck_assert_uint_eq(session_free_pages(engine_session(stack->engine)), pages);
    printf("# %zu requests served and %zu refused over %zu pages\n", sent, refused, pages);
    stack_done(stack);
    scratch_done(&scratch);
}
END_TEST

// An engine that goes while requests are running frees them too (the sanitizers look).
START_TEST(test_engine_ends_with_requests_in_flight) {
    Error err;
    Scratch scratch = scratch_make();
    const Model *model = model_of(&scratch.arena, source_path(&scratch.arena, TINY_BART), true);
    Stack *stack = stack_make(&scratch.arena, model, cpu_detect(), 1, (EngineSettings){.most_requests = BATCH});
    static Place places[BATCH];
    Random random = {6};
    Tally tally = {0};
    for (size_t i = 0; i < BATCH; i++) {
        Request request = {places[i].ids, source_draw(&random, 96, 20, places[i].ids), *model_generation(model),
                           &places[i]};
        request.options.min_new_tokens = request.options.max_new_tokens = 20;
        request.options.num_beams = 1 + (int64_t)i % 3;
        CHECK_OK(engine_submit(stack->engine, &request, &err));
        if (i % 2)
            engine_step(stack->engine, on_answer, &tally);
    }
    ck_assert_uint_eq(tally.answered, 0);
    stack_done(stack);
    scratch_done(&scratch);
}
END_TEST

static void check_no_allocation(const char *path, int threads) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    const Model *model = model_of(&arena, path, true);
    Stack *stack = stack_make(&arena, model, cpu_detect(), threads, (EngineSettings){.most_requests = 4});
    static Place places[4];
    Tally tally = {0};
    uint64_t before = 0;
    for (int round = 0; round < 8; round++) { // places in flight take turns, each grows to the largest request
        Random random = {9};
        before = round == 7 ? memory_allocations() : before;
        for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
            Request request = {places[i].ids, source_draw(&random, 96, 50, places[i].ids), *model_generation(model),
                               &places[i]};
            request.options.num_beams = 1 + (int64_t)i;
            request.options.min_new_tokens = request.options.max_new_tokens = 30;
            request.options.no_repeat_ngram_size = 3;
            request.options.do_sample = i == 2;
            CHECK_OK(engine_submit(stack->engine, &request, &err));
        }
        while (engine_step(stack->engine, on_answer, &tally)) {
        }
    }
    ck_assert_uint_eq(memory_allocations(), before);
    ck_assert_uint_eq(tally.answered, 32);
    ck_assert_uint_eq(tally.failed, 0);
    stack_done(stack);
    arena_done(&arena);
}

START_TEST(test_warm_steps_allocate_nothing) {
    Scratch scratch = scratch_make();
    const char *path = source_path(&scratch.arena, TINY_BART);
    check_no_allocation(path, 1);
    check_no_allocation(path, 2);
    check_no_allocation(quantized_copy(&scratch, path, "int8"), 1);
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("stack/pages", test_pool_comes_back_whole, test_engine_ends_with_requests_in_flight,
          test_warm_steps_allocate_nothing)
