// SPDX-License-Identifier: Apache-2.0
// What a server asks of the engine: cancelling in every phase, deadlines, tokens as they come, sources that are encoded
// once for all who ask the same, and nothing left behind, whatever comes and goes.
#include "base/clock.h"
#include "base/random.h"
#include "engine/engine.h"
#include "engine/fake_session.h"

enum { PEOPLE = 40, SOURCES = 6, LONGEST = 48 };

typedef struct Person {
    int32_t ids[LONGEST];
    Request request;
    bool waiting; // for an answer
    Status status;
    char message[ERROR_MESSAGE_BYTES];
    int32_t answer[TABLE_POSITIONS];
    size_t count;
    int32_t told[TABLE_POSITIONS];
    size_t told_count, joined;
    AnswerTimes times;
} Person;

static Person people[PEOPLE];
static int32_t alone[SOURCES][TABLE_POSITIONS];
static size_t alone_count[SOURCES];

static GenerationOptions table_options(int64_t most_new) {
    GenerationOptions options = generation_defaults();
    options.bos_token_id = 0;
    options.pad_token_id = 1;
    options.decoder_start_token_id = options.eos_token_ids[0] = TABLE_EOS;
    options.eos_token_count = 1;
    options.max_new_tokens = most_new;
    options.min_new_tokens = most_new;
    return options;
}

static void on_answer(void *context, const Answer *answer) {
    (void)context;
    Person *person = answer->user;
    ck_assert(person->waiting);
    person->waiting = false;
    person->times = answer->times;
    person->status = answer->error ? answer->error->status : OK;
    if (answer->error)
        memcpy(person->message, answer->error->message, sizeof person->message);
    else {
        person->count = answer->sequences[0].count;
        memcpy(person->answer, answer->sequences[0].ids, person->count * sizeof(int32_t));
    }
}

static void on_joined(void *context, void *user) {
    (void)context;
    ((Person *)user)->joined++;
}

static void on_tokens(void *context, void *user, const int32_t *ids, size_t count) {
    (void)context;
    Person *person = user;
    ck_assert(count > person->told_count && memcmp(ids, person->told, person->told_count * sizeof *ids) == 0);
    memcpy(person->told, ids, count * sizeof *ids);
    person->told_count = count;
}

static Engine *engine_open(EngineSettings settings) {
    static Kernels kernels;
    Engine *engine = NULL;
    Error err;
    kernels_pick(CPU_REF, &kernels);
    fake = (Fake){0};
    CHECK_OK(engine_new(&fake_model, &kernels, NULL, &settings, &engine, &err));
    engine_watch(engine, (EngineWatcher){on_joined, on_tokens, NULL});
    return engine;
}

static size_t source_write(int source, int32_t *ids) {
    size_t count = 4 + 7 * (size_t)source;
    for (size_t i = 0; i < count; i++)
        ids[i] = 3 + (int32_t)((i * 5 + (size_t)source * 11) % 40);
    return count;
}

static Status ask(Engine *engine, Person *person, int source, int64_t most_new, uint64_t salt, uint64_t deadline_ns) {
    Error err;
    *person = (Person){.waiting = true};
    size_t count = source_write(source, person->ids);
    person->request = (Request){.ids = person->ids,
                                .count = count,
                                .options = table_options(most_new),
                                .user = person,
                                .salt = salt,
                                .tenant = salt,
                                .deadline_ns = deadline_ns};
    Status status = engine_submit(engine, &person->request, &err);
    person->waiting = status == OK;
    return status;
}

static void run_out(Engine *engine) {
    while (engine_step(engine, on_answer, NULL)) {
    }
}

static const EngineSettings serving = {
    .most_requests = PEOPLE, .most_running = 4, .most_rows = 8, .slices_encoder = true, .cached_sources = 3};

static void learn_alone(void) {
    Engine *engine = engine_open((EngineSettings){.most_requests = 1});
    for (int s = 0; s < SOURCES; s++) {
        ck_assert_int_eq(ask(engine, &people[0], s, 20, 0, 0), OK);
        run_out(engine);
        alone_count[s] = people[0].count;
        memcpy(alone[s], people[0].answer, sizeof alone[s]);
    }
    engine_free(engine);
}

static void check_as_alone(const Person *person, int source) {
    ck_assert_int_eq(person->status, OK);
    ck_assert(person->count == alone_count[source] &&
              memcmp(person->answer, alone[source], person->count * sizeof(int32_t)) == 0);
}

static void check_empty(const Engine *engine) {
    EngineLoad load = engine_load(engine);
    ck_assert_uint_eq(load.waiting + load.encoding + load.running + load.rows + load.waiting_tokens, 0);
    ck_assert_uint_eq(load.self_pages + load.cross_pages, 0);
}

START_TEST(test_tokens_as_they_come) {
    Engine *engine = engine_open(serving);
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq(ask(engine, &people[i], i, 20, 0, 0), OK);
    run_out(engine);
    for (int i = 0; i < 6; i++) {
        const Person *person = &people[i];
        ck_assert_uint_eq(person->joined, 1);
        ck_assert_uint_eq(person->told_count, person->count);
        ck_assert(memcmp(person->told, person->answer, person->count * sizeof(int32_t)) == 0);
        const AnswerTimes *t = &person->times;
        ck_assert(t->submitted_ns <= t->joined_ns && t->joined_ns <= t->encoded_ns &&
                  t->encoded_ns <= t->first_token_ns && t->first_token_ns <= t->ended_ns);
    }
    check_empty(engine);
    engine_free(engine);
}
END_TEST

// The fifth waits, the first four are encoded in slices and then decoded.
START_TEST(test_cancel_in_every_phase) {
    Engine *engine = engine_open(serving);
    learn_alone();
    engine_free(engine);
    engine = engine_open(serving);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(ask(engine, &people[i], i, 20, 0, 0), OK);
    engine_step(engine, on_answer, NULL); // all four run: nobody was decoding, so they were encoded to the end
    ck_assert_uint_eq(engine_load(engine).running, 4);
    ck_assert_int_eq(ask(engine, &people[4], 4, 20, 0, 0), OK);
    ck_assert(engine_cancel(engine, &people[4]));
    ck_assert(!engine_cancel(engine, &people[4])); // it is already
    ck_assert(engine_cancel(engine, &people[1]));
    engine_step(engine, on_answer, NULL);
    ck_assert(!people[4].waiting && people[4].status == ERR_INTERRUPTED);
    ck_assert_str_eq(people[4].message, "cancelled while it waited");
    ck_assert(!people[1].waiting && people[1].status == ERR_INTERRUPTED);
    ck_assert_str_eq(people[1].message, "cancelled while it was decoded");
    ck_assert_int_eq(ask(engine, &people[5], 5, 20, 0, 0), OK);
    int steps = 0;
    while (engine_load(engine).encoding == 0 && people[0].waiting && steps++ < 8)
        engine_step(engine, on_answer, NULL);
    if (engine_load(engine).encoding) { // a slow machine may have encoded it in one slice
        ck_assert(engine_cancel(engine, &people[5]));
        engine_step(engine, on_answer, NULL);
        ck_assert_int_eq(people[5].status, ERR_INTERRUPTED);
        ck_assert_str_eq(people[5].message, "cancelled while it was encoded");
    }
    run_out(engine);
    check_as_alone(&people[0], 0);
    check_as_alone(&people[2], 2);
    check_as_alone(&people[3], 3);
    ck_assert(!engine_cancel(engine, &people[0]));
    check_empty(engine);
    engine_free(engine);
}
END_TEST

START_TEST(test_a_deadline_ends_what_runs) {
    Engine *engine = engine_open(serving);
    ck_assert_int_eq(ask(engine, &people[0], 0, 60, 0, clock_ns() + 20000000), OK);
    engine_step(engine, on_answer, NULL);
    ck_assert(people[0].waiting);
    while (clock_ns() < people[0].request.deadline_ns) {
    }
    engine_step(engine, on_answer, NULL);
    ck_assert(!people[0].waiting && people[0].status == ERR_LATE);
    ck_assert_str_eq(people[0].message, "its deadline passed while it was decoded");
    check_empty(engine);
    engine_free(engine);
}
END_TEST

// The same source again: nothing is encoded, also while the first one is still in the same batch. Another salt: it is.
START_TEST(test_a_source_is_encoded_once) {
    learn_alone();
    Engine *engine = engine_open(serving);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(ask(engine, &people[i], 2, 20, 7, 0), OK);
    run_out(engine);
    ck_assert_uint_eq(fake.encode_calls, 1);
    ck_assert_uint_eq(engine_load(engine).cache_hits, 2);
    ck_assert_uint_eq(engine_load(engine).cached_pages, 2); // 18 tokens
    ck_assert_int_eq(ask(engine, &people[3], 2, 20, 7, 0), OK);
    run_out(engine);
    ck_assert_uint_eq(fake.encode_calls, 1);
    ck_assert_int_eq(ask(engine, &people[4], 2, 20, 8, 0), OK);
    run_out(engine);
    ck_assert_uint_eq(fake.encode_calls, 2);
    for (int i = 0; i < 5; i++)
        check_as_alone(&people[i], 2);
    check_empty(engine);
    engine_free(engine);
}
END_TEST

// A pool with room for little: what the cache keeps gives way to requests, and they never wait for it.
START_TEST(test_the_cache_gives_way) {
    learn_alone();
    EngineSettings settings = serving;
    settings.most_running = 1;
    settings.most_rows = 1;
    settings.kv_bytes = 1;
    settings.cached_sources = SOURCES;
    Engine *engine = engine_open(settings);
    for (int round = 0; round < 3; round++)
        for (int s = 0; s < SOURCES; s++)
            ck_assert_int_eq(ask(engine, &people[round * SOURCES + s], s, 20, 0, 0), OK);
    run_out(engine);
    for (int i = 0; i < 3 * SOURCES; i++)
        check_as_alone(&people[i], i % SOURCES);
    EngineLoad load = engine_load(engine);
    ck_assert_uint_le(load.cached_pages, load.pages);
    ck_assert_uint_gt(load.cache_misses, SOURCES);
    engine_free(engine);
}
END_TEST

// A failed batch is nobody's source later.
START_TEST(test_a_broken_batch_is_forgotten) {
    learn_alone();
    Engine *engine = engine_open(serving);
    fake.fail_encode_at = 1;
    ck_assert_int_eq(ask(engine, &people[0], 3, 20, 0, 0), OK);
    run_out(engine);
    ck_assert_int_eq(people[0].status, ERR_INTERNAL);
    ck_assert_int_eq(ask(engine, &people[1], 3, 20, 0, 0), OK);
    run_out(engine);
    check_as_alone(&people[1], 3);
    check_empty(engine);
    engine_free(engine);
}
END_TEST

static void live(Random *random, EngineSettings settings) {
    Engine *engine = engine_open(settings);
    int sources[PEOPLE] = {0};
    memset(people, 0, sizeof people);
    size_t ended = 0, cancelled = 0;
    for (int event = 0; event < 4000; event++) {
        size_t who = random_next(random) % PEOPLE;
        Person *person = &people[who];
        uint64_t kind = random_next(random) % 10;
        if (!person->waiting && kind < 5) {
            sources[who] = (int)(random_next(random) % SOURCES);
            uint64_t deadline = random_next(random) % 20 ? 0 : clock_ns() + random_next(random) % 400000;
            Status status = ask(engine, person, sources[who], 20, random_next(random) % 2, deadline);
            ck_assert(status == OK || status == ERR_BUSY || status == ERR_LATE || status == ERR_LIMIT);
        } else if (person->waiting && kind == 5)
            engine_cancel(engine, person); // maybe for the second time
        else
            engine_step(engine, on_answer, NULL);
        for (size_t i = 0; i < PEOPLE; i++) {
            if (people[i].waiting || !people[i].request.ids)
                continue;
            if (people[i].status == OK && people[i].count) {
                check_as_alone(&people[i], sources[i]);
                ended++;
            }
            cancelled += people[i].status == ERR_INTERRUPTED;
            people[i] = (Person){0};
        }
    }
    run_out(engine);
    ck_assert_uint_gt(ended, 100);
    ck_assert_uint_gt(cancelled, 20);
    check_empty(engine);
    engine_free(engine); // the fake session checks that every source is closed and every page free
}

START_TEST(test_many_come_and_go) {
    learn_alone();
    Random random = {5};
    for (int i = 0; i < 4; i++) {
        EngineSettings settings = serving;
        settings.most_running = 1 + (size_t)i * 3;
        settings.most_rows = 2 + (size_t)i * 4;
        settings.cached_sources = (size_t)i * 2;
        settings.most_waiting_tokens = i == 3 ? 300 : 0;
        settings.queue_delay_ns = i == 2 ? 10000 : 0;
        live(&random, settings);
    }
}
END_TEST

TEST_MAIN("engine/serving", test_tokens_as_they_come, test_cancel_in_every_phase, test_a_deadline_ends_what_runs,
          test_a_source_is_encoded_once, test_the_cache_gives_way, test_a_broken_batch_is_forgotten,
          test_many_come_and_go)
