// SPDX-License-Identifier: Apache-2.0
// The engine over the table model: golden cases of Hugging Face's generate(), alone and together, order, limits,
// failures, memory, and sampling's distribution.
#include "engine/chi_square.h"
#include "engine/fake_session.h"
#include "engine/golden_cases.h"

static GenerationOptions table_options(void) {
    GenerationOptions options = generation_defaults();
    options.bos_token_id = 0;
    options.pad_token_id = 1;
    options.decoder_start_token_id = options.eos_token_ids[0] = TABLE_EOS;
    options.eos_token_count = 1;
    return options;
}

static Engine *table_engine(CpuLevel level, Pool *pool, EngineSettings settings) {
    static Kernels kernels;
    Engine *engine = NULL;
    Error err;
    kernels_pick(level, &kernels);
    fake = (Fake){0};
    CHECK_OK(engine_new(&fake_model, &kernels, pool, &settings, &engine, &err));
    return engine;
}

static void run_goldens(CpuLevel level, int threads, EngineSettings settings) {
    Arena arena;
    arena_init(&arena, 0);
    Error err;
    GenerationOptions defaults = table_options();
    size_t count;
    Case *cases = cases_read(&arena, golden_read(&arena, "tests/golden/engine/cases.json"), &defaults, &count);
    Pool *pool = NULL;
    CHECK_OK(pool_new(threads, &pool, &err));
    Engine *engine = table_engine(level, pool, settings);
    cases_run(engine, cases, count);
    ck_assert_uint_eq(fake.open_sources, 0);
    engine_free(engine);
    pool_free(pool);
    arena_done(&arena);
}

START_TEST(test_goldens_alone) {
    run_goldens(CPU_REF, 1, (EngineSettings){.most_requests = 1});
}
END_TEST

START_TEST(test_goldens_together) {
    run_goldens(CPU_REF, 1, (EngineSettings){.most_requests = 16});
    ck_assert_uint_gt(fake.most_rows_seen, 30);
}
END_TEST

// Few rows, few source tokens and few pages at once: requests wait, and get the same.
START_TEST(test_goldens_in_a_crowd) {
    EngineSettings settings = {.most_requests = 32, .most_rows = 9, .kv_bytes = 1};
    run_goldens(cpu_detect(), 3, settings);
}
END_TEST

// As a server runs it: the encoder in slices, batches that wait for more, sources kept for the next request.
START_TEST(test_goldens_in_slices) {
    EngineSettings settings = {.most_requests = 32,
                               .most_running = 12,
                               .most_rows = 30,
                               .most_source_tokens = 64,
                               .slices_encoder = true,
                               .queue_delay_ns = 1000,
                               .cached_sources = 5};
    run_goldens(CPU_REF, 1, settings);
    ck_assert_uint_gt(fake.encode_slices, fake.encode_calls);
}
END_TEST

START_TEST(test_goldens_any_cpu) {
    for (CpuLevel level = CPU_REF; level <= cpu_detect(); level++)
        run_goldens(level, 2, (EngineSettings){.most_requests = 8});
}
END_TEST

typedef struct Log {
    int order[64];
    int count;
    int errors;
    char message[ERROR_MESSAGE_BYTES];
    int32_t ids[64][TABLE_POSITIONS];
    size_t lengths[64];
} Log;

static void log_answer(void *context, const Answer *answer) {
    Log *log = context;
    int number = *(int *)answer->user;
    log->order[log->count] = number;
    if (answer->error) {
        log->errors++;
        memcpy(log->message, answer->error->message, sizeof log->message);
    } else {
        log->lengths[number] = answer->sequences[0].count;
        memcpy(log->ids[number], answer->sequences[0].ids, answer->sequences[0].count * sizeof(int32_t));
    }
    log->count++;
}

static const int32_t short_source[] = {0, 21, 33, 8, 2};
static int numbers[64];

static Request numbered_request(int number, const GenerationOptions *options) {
    numbers[number] = number;
    return (Request){
        .ids = short_source, .count = ARRAY_COUNT(short_source), .options = *options, .user = &numbers[number]};
}

// With room for one beam search of four at a time, requests are answered in order; the small one behind does not
// overtake.
START_TEST(test_first_come_first_served) {
    Error err;
    Engine *engine = table_engine(CPU_REF, NULL, (EngineSettings){.most_requests = 4, .most_rows = 5});
    GenerationOptions options = table_options();
    Log log = {0};
    for (int i = 0; i < 4; i++) {
        options.num_beams = i == 3 ? 1 : 4;
        options.max_new_tokens = i == 3 ? 1 : 6;
        Request request = numbered_request(i, &options);
        CHECK_OK(engine_submit(engine, &request, &err));
    }
    Request extra = numbered_request(4, &options);
    ck_assert(!engine_has_room(engine));
    CHECK_FAILS(engine_submit(engine, &extra, &err), ERR_LIMIT, "4 requests are in flight, which is the limit");
    while (engine_step(engine, log_answer, &log)) {
    }
    ck_assert_int_eq(log.count, 4);
    ck_assert(log.order[0] == 0 && log.order[1] == 1); // 3 runs beside 2 and is shorter
    ck_assert(log.order[2] == 3 && log.order[3] == 2);
    ck_assert_uint_le(fake.most_rows_seen, 5);
    engine_free(engine);
}
END_TEST

START_TEST(test_bad_requests_fail_alone) {
    Error err;
    Engine *engine = table_engine(CPU_REF, NULL, (EngineSettings){.most_requests = 2, .most_rows = 4});
    GenerationOptions options = table_options();
    Request good = numbered_request(0, &options);
    CHECK_OK(engine_submit(engine, &good, &err));

    static int32_t many[TABLE_POSITIONS + 1];
    Request bad = good;
    bad.ids = many;
    bad.count = ARRAY_COUNT(many);
    CHECK_FAILS(engine_submit(engine, &bad, &err), ERR_LIMIT,
                "the source has 65 tokens, but the model has 64 positions");
    bad.count = 0;
    CHECK_FAILS(engine_submit(engine, &bad, &err), ERR_USAGE, "the source has no tokens");
    many[1] = TABLE_VOCABULARY;
    bad.count = 2;
    CHECK_FAILS(engine_submit(engine, &bad, &err), ERR_USAGE,
                "token 1 of the source is 48, but the model's vocabulary");
    many[1] = -1;
    CHECK_FAILS(engine_submit(engine, &bad, &err), ERR_USAGE, "token 1 of the source is -1");
    bad = good;
    bad.options.max_new_tokens = 65;
    CHECK_FAILS(engine_submit(engine, &bad, &err), ERR_LIMIT, "up to 65 new tokens are wanted, but the model has 64");
    bad.options.max_new_tokens = INT64_MAX - 1;
    CHECK_FAILS(engine_submit(engine, &bad, &err), ERR_LIMIT, "new tokens are wanted");
    bad = good;
    bad.options.num_beams = 5;
    CHECK_FAILS(engine_submit(engine, &bad, &err), ERR_LIMIT,
                "needs 5 rows of a step (beams or samples), but there are 4");
    bad = good;
    bad.options.num_return_sequences = 2;
    CHECK_FAILS(engine_submit(engine, &bad, &err), ERR_USAGE, "greedy methods without beam search");

    Log log = {0};
    while (engine_step(engine, log_answer, &log)) {
    }
    ck_assert(log.count == 1 && log.errors == 0 && log.lengths[0] > 0);
    engine_free(engine);
}
END_TEST

// A request whose worst case exceeds the whole pool is refused at once: it would wait forever.
START_TEST(test_more_pages_than_there_are) {
    Error err;
    EngineSettings settings = {.most_requests = 1, .most_rows = 40, .kv_bytes = 1};
    Engine *engine = table_engine(CPU_REF, NULL, settings);
    GenerationOptions options = table_options();
    options.num_beams = 40;
    options.max_new_tokens = 60;
    Request request = numbered_request(0, &options);
    CHECK_FAILS(engine_submit(engine, &request, &err), ERR_LIMIT, "K/V pages, but there are 36");
    engine_free(engine);
}
END_TEST

START_TEST(test_session_failures_reach_those_who_run) {
    Error err;
    GenerationOptions options = table_options();
    options.max_new_tokens = 10;
    for (int what = 0; what < 3; what++) {
        Engine *engine = table_engine(CPU_REF, NULL, (EngineSettings){.most_requests = 3});
        Log log = {0};
        for (int i = 0; i < 3; i++) {
            Request request = numbered_request(i, &options);
            CHECK_OK(engine_submit(engine, &request, &err));
        }
        fake.fail_encode_at = what == 0;
        fake.fail_decode_at = what == 1 ? 3 : 0;
        fake.fail_open_at = what == 2 ? 2 : 0;
        while (engine_step(engine, log_answer, &log)) {
        }
        ck_assert_int_eq(log.count, 3);
        ck_assert_int_eq(log.errors, what == 2 ? 1 : 3);
        const char *messages[] = {"the encoder broke", "the decoder broke", "no memory for a source"};
        ck_assert_str_eq(log.message, messages[what]);
        ck_assert_uint_eq(fake.open_sources, 0);

        Request again = numbered_request(3, &options); // and the engine still works
        CHECK_OK(engine_submit(engine, &again, &err));
        while (engine_step(engine, log_answer, &log)) {
        }
        ck_assert(log.count == 4 && log.lengths[3] > 0);
        engine_free(engine);
    }
}
END_TEST

// Once a place has served a request of a kind, neither steps nor a further request of that kind allocate.
START_TEST(test_steps_do_not_allocate) {
    Error err;
    Engine *engine = table_engine(CPU_REF, NULL, (EngineSettings){.most_requests = 3});
    GenerationOptions options = table_options();
    options.max_new_tokens = options.min_new_tokens = 40;
    options.repetition_penalty = 1.5;
    options.no_repeat_ngram_size = 2;
    Log log = {0};
    uint64_t before = 0;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++) {
            options.num_beams = 1 + 3 * (i % 2);
            options.do_sample = i == 2;
            options.top_p = 0.9;
            Request request = numbered_request(i, &options);
            if (round == 2 && i == 0)
                before = memory_allocations();
            CHECK_OK(engine_submit(engine, &request, &err));
        }
        uint64_t submitted = memory_allocations();
        while (engine_step(engine, log_answer, &log)) {
        }
        ck_assert_uint_eq(memory_allocations(), submitted);
    }
    ck_assert_uint_eq(memory_allocations(), before);
    ck_assert(log.count == 9 && log.errors == 0 && log.lengths[0] == 40);
    engine_free(engine);
}
END_TEST

typedef struct Tally {
    const json_t *outcomes; // [{ids, ...}]
    double *counts;         // of each, the last of what is none of them
} Tally;

static void tally_answer(void *context, const Answer *answer) {
    Tally *tally = context;
    ck_assert(answer->error == NULL);
    size_t known = json_array_size(tally->outcomes);
    for (size_t s = 0; s < answer->sequence_count; s++) {
        size_t found = 0;
        for (; found < known; found++) {
            const json_t *ids = json_object_get(json_array_get(tally->outcomes, found), "ids");
            bool same = json_array_size(ids) == answer->sequences[s].count;
            for (size_t i = 0; same && i < answer->sequences[s].count; i++)
                same = json_integer_value(json_array_get(ids, i)) == answer->sequences[s].ids[i];
            if (same)
                break;
        }
        tally->counts[found]++;
    }
}

// Sampled beam search against counts of the reference: the statistic for two samples of equal size.
START_TEST(test_sampled_beams_have_the_references_distribution) {
    Arena arena;
    arena_init(&arena, 0);
    Error err;
    const json_t *array = golden_read(&arena, "tests/golden/engine/draws.json");
    GenerationOptions defaults = table_options();
    size_t count;
    Case *cases = cases_read(&arena, array, &defaults, &count);
    for (size_t c = 0; c < count; c++) {
        Tally tally = {.outcomes = json_object_get(cases[c].json, "counts")};
        size_t known = json_array_size(tally.outcomes);
        double counts[64] = {0};
        ck_assert_uint_lt(known, ARRAY_COUNT(counts));
        tally.counts = counts;
        int64_t runs = json_integer_value(json_object_get(cases[c].json, "runs"));
        Engine *engine = table_engine(CPU_REF, NULL, (EngineSettings){.most_requests = 16});
        for (int64_t run = 0; run < runs || engine_step(engine, tally_answer, &tally);) {
            for (; run < runs && engine_has_room(engine); run++) {
                cases[c].options.seed = (uint64_t)run;
                Request request = {
                    .ids = cases[c].source, .count = cases[c].source_count, .options = cases[c].options, .user = NULL};
                CHECK_OK(engine_submit(engine, &request, &err));
            }
            engine_step(engine, tally_answer, &tally);
        }
        engine_free(engine);
        ck_assert_msg(counts[known] < 10, "%g sequences that the reference never found", counts[known]);
        double sum = 0;
        for (size_t i = 0; i < known; i++) {
            double theirs = json_number_value(json_object_get(json_array_get(tally.outcomes, i), "count"));
            sum += (counts[i] - theirs) * (counts[i] - theirs) / (counts[i] + theirs);
        }
        ck_assert_msg(sum < chi_square_bound(known - 1), "case %zu: chi-square %.1f of %zu outcomes", c, sum, known);
    }
    arena_done(&arena);
}
END_TEST

static void count_first(void *context, const Answer *answer) {
    double *counts = context;
    ck_assert(answer->error == NULL);
    for (size_t i = 0; i < answer->sequence_count; i++) {
        ck_assert(answer->sequences[i].score <= 0 && answer->sequences[i].count == 1);
        counts[answer->sequences[i].ids[0]]++;
    }
}

// Three samples of each of many seeds: the first token's distribution is softmax(row / temperature) over its best k.
START_TEST(test_samples_follow_the_model) {
    enum { RUNS = 12000, SEQUENCES = 3, K = 20 };
    Error err;
    GenerationOptions options = table_options();
    options.do_sample = true;
    options.temperature = 1.5;
    options.top_k = K;
    options.max_new_tokens = 1;
    options.num_return_sequences = SEQUENCES;
    float row[TABLE_VOCABULARY];
    uint64_t hash = 7;
    for (size_t i = 0; i < ARRAY_COUNT(short_source); i++)
        hash = fake_fold(fake_fold(hash, (int64_t)i), short_source[i]);
    fake_row(fake_fold(fake_fold(hash, TABLE_EOS), 0), 1, row);
    double expected[TABLE_VOCABULARY], counts[TABLE_VOCABULARY] = {0}, total = 0;
    for (size_t i = 0; i < TABLE_VOCABULARY; i++) {
        size_t larger = 0;
        for (size_t j = 0; j < TABLE_VOCABULARY; j++)
            larger += row[j] > row[i];
        expected[i] = larger < K ? exp((double)row[i] / 1.5) : 0;
        total += expected[i];
    }
    for (size_t i = 0; i < TABLE_VOCABULARY; i++)
        expected[i] *= RUNS * SEQUENCES / total;
    Engine *engine = table_engine(CPU_REF, NULL, (EngineSettings){.most_requests = 8});
    for (int run = 0; run < RUNS; run++) {
        options.seed = (uint64_t)run;
        Request request = numbered_request(0, &options);
        CHECK_OK(engine_submit(engine, &request, &err));
        if (!engine_has_room(engine) || run == RUNS - 1)
            engine_step(engine, count_first, counts);
    }
    engine_free(engine);
    double sum = 0;
    for (size_t i = 0; i < TABLE_VOCABULARY; i++) {
        ck_assert(expected[i] > 0 || counts[i] == 0);
        sum += counts[i];
    }
    ck_assert(sum == RUNS * SEQUENCES);
    double found = chi_square(counts, expected, TABLE_VOCABULARY);
    ck_assert_msg(found < chi_square_bound(K - 1), "chi-square %.1f", found);
}
END_TEST

// A seed gives the same samples alone and among others.
START_TEST(test_samples_do_not_depend_on_neighbours) {
    Error err;
    GenerationOptions options = table_options();
    options.do_sample = true;
    options.max_new_tokens = 30;
    Log alone = {0}, together = {0};
    for (int pass = 0; pass < 2; pass++) {
        Engine *engine = table_engine(CPU_REF, NULL, (EngineSettings){.most_requests = pass ? 12 : 1});
        Log *log = pass ? &together : &alone;
        for (int i = 0; i < 12; i++) {
            options.num_beams = 1 + i % 3;
            options.seed = (uint64_t)i / 2;
            Request request = numbered_request(i, &options);
            CHECK_OK(engine_submit(engine, &request, &err));
            while (!engine_has_room(engine))
                engine_step(engine, log_answer, log);
        }
        while (engine_step(engine, log_answer, log)) {
        }
        engine_free(engine);
    }
    ck_assert(alone.count == 12 && together.count == 12);
    for (int i = 0; i < 12; i++) {
        ck_assert_uint_eq(alone.lengths[i], together.lengths[i]);
        ck_assert_mem_eq(alone.ids[i], together.ids[i], alone.lengths[i] * sizeof(int32_t));
    }
    ck_assert(memcmp(alone.ids[0], alone.ids[6], sizeof alone.ids[0]) != 0);
}
END_TEST

// Bans of every token leave nothing to draw: that request fails, with a sentence.
START_TEST(test_nothing_left_to_sample) {
    Error err;
    static int32_t tokens[TABLE_VOCABULARY];
    static const int32_t *words[TABLE_VOCABULARY];
    static size_t lengths[TABLE_VOCABULARY];
    for (int32_t i = 0; i < TABLE_VOCABULARY; i++) {
        tokens[i] = i;
        words[i] = &tokens[i];
        lengths[i] = 1;
    }
    GenerationOptions options = table_options();
    options.do_sample = true;
    options.min_length = 5;
    options.bad_words = (BadWords){.sequences = words, .lengths = lengths, .count = TABLE_VOCABULARY};
    Engine *engine = table_engine(CPU_REF, NULL, (EngineSettings){.most_requests = 2});
    Log log = {0};
    for (int beams = 1; beams <= 2; beams++) {
        options.num_beams = beams;
        Request request = numbered_request(beams, &options);
        CHECK_OK(engine_submit(engine, &request, &err));
    }
    while (engine_step(engine, log_answer, &log)) {
    }
    ck_assert(log.count == 2 && log.errors == 2);
    ck_assert_str_eq(log.message, "the options ban every token: nothing is left to sample from");
    engine_free(engine);
}
END_TEST

TEST_MAIN("engine/engine", test_goldens_alone, test_goldens_together, test_goldens_in_a_crowd, test_goldens_in_slices,
          test_goldens_any_cpu, test_first_come_first_served, test_bad_requests_fail_alone,
          test_more_pages_than_there_are, test_session_failures_reach_those_who_run, test_steps_do_not_allocate,
          test_sampled_beams_have_the_references_distribution, test_samples_follow_the_model,
          test_samples_do_not_depend_on_neighbours, test_nothing_left_to_sample)
