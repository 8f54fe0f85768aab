// SPDX-License-Identifier: Apache-2.0
// The engine: requests wait in order of arrival, are admitted when their rows and the worst case of their K/V pages
// fit, run step by step beside the others, and leave when done. A request that was admitted can always be finished.
#include "engine/engine.h"

#include <string.h>

#include "base/memory.h"
#include "engine/head.h"

enum { PAGE_TOKENS = 16, USUAL_ROWS = 8, LEAST_ROWS = 64, USUAL_SOURCE_TOKENS = 4096 };
static const size_t usual_kv_bytes = (size_t)1 << 30;

struct Engine {
    Arena arena;
    Pool *pool;
    Session *session;
    Head head;
    EngineSettings settings;
    FlightSettings flight_settings;
    size_t total_pages;
    Flight *flights; // [most_requests]
    Flight **idle, **waiting, **running;
    size_t idle_count, waiting_count, running_count; // waiting and running in order of arrival
    size_t running_rows;
    EncodeItem *items;   // [most_requests]
    DecodeRow *rows;     // [most_rows]
    RowWork *work;       // [most_rows]
    size_t *first_rows;  // [most_requests], where a running flight's rows begin in the step
    bool *alive;         // [most_requests], of the running after a step
    float **logits;      // [most_rows], of the rows of the step in progress; NULL where none were needed
    EngineCounts counts; // but for the head's
    Error refusal;       // of the screen
};

// Pages for the worst case of all requests, within the budget, but for one request of the usual number of rows at
// least.
static size_t choose_pages(const SessionModel *model, const EngineSettings *settings) {
    size_t span = (settings->most_positions + PAGE_TOKENS - 1) / PAGE_TOKENS;
    size_t rows = settings->most_rows < USUAL_ROWS ? settings->most_rows : USUAL_ROWS;
    size_t page_bytes = session_page_bytes(model, settings->kv_kind);
    size_t budget = page_bytes > 0 ? settings->kv_bytes / page_bytes : 0;
    size_t least = (1 + rows) * span;
    size_t most = (settings->most_requests + settings->most_rows) * span;
    if (budget < least)
        return least;
    return budget < most ? budget : most;
}

static Status settle(const SessionModel *model, EngineSettings *settings, Error *err) {
    if (settings->most_positions == 0)
        settings->most_positions = model->most_positions;
    if (settings->most_requests == 0 || settings->most_requests > 65536)
        return FAIL(err, ERR_USAGE, "requests in flight are %zu, expected 1 to 65536", settings->most_requests);
    if (settings->most_rows == 0)
        settings->most_rows =
            settings->most_requests * USUAL_ROWS > LEAST_ROWS ? settings->most_requests * USUAL_ROWS : LEAST_ROWS;
    if (settings->most_rows > (size_t)65536 * USUAL_ROWS)
        return FAIL(err, ERR_USAGE, "rows of a step are %zu, expected at most %d", settings->most_rows,
                    65536 * USUAL_ROWS);
    size_t together; // of all requests that may join in one step
    if (!size_multiply(settings->most_requests, settings->most_positions, &together))
        together = SIZE_MAX;
    if (settings->most_source_tokens == 0)
        settings->most_source_tokens = together < USUAL_SOURCE_TOKENS ? together : USUAL_SOURCE_TOKENS;
    if (settings->most_source_tokens < settings->most_positions)
        settings->most_source_tokens = settings->most_positions;
    if (settings->kv_bytes == 0)
        settings->kv_bytes = usual_kv_bytes;
    return OK;
}

static Status make_lists(Engine *engine, Error *err) {
    Arena *arena = &engine->arena;
    size_t requests = engine->settings.most_requests;
    TRY_NEW(engine->flights = arena_array(arena, requests, sizeof *engine->flights, err));
    TRY_NEW(engine->idle = arena_array(arena, requests, sizeof(Flight *), err));
    TRY_NEW(engine->waiting = arena_array(arena, requests, sizeof(Flight *), err));
    TRY_NEW(engine->running = arena_array(arena, requests, sizeof(Flight *), err));
    TRY_NEW(engine->items = arena_array(arena, requests, sizeof *engine->items, err));
    TRY_NEW(engine->first_rows = arena_array(arena, requests, sizeof *engine->first_rows, err));
    TRY_NEW(engine->alive = arena_array(arena, requests, sizeof *engine->alive, err));
    TRY_NEW(engine->rows = arena_array(arena, engine->settings.most_rows, sizeof *engine->rows, err));
    TRY_NEW(engine->work = arena_array(arena, engine->settings.most_rows, sizeof *engine->work, err));
    TRY_NEW(engine->logits = arena_array(arena, engine->settings.most_rows, sizeof *engine->logits, err));
    for (size_t i = requests; i-- > 0;) {
        arena_init(&engine->flights[i].arena, 0);
        engine->idle[engine->idle_count++] = &engine->flights[i];
    }
    return OK;
}

// A head that cannot be screened runs as it is.
static Status make_head(Engine *engine, const SessionModel *model, const Kernels *kernels, Error *err) {
    Head *head = &engine->head;
    *head = (Head){
        .session = engine->session,
        .kernels = kernels,
        .pool = engine->pool,
        .vocabulary = model->vocabulary,
        .width = model->width,
        .most_rows = engine->settings.most_rows,
    };
    if (engine->settings.lm_head_screen) {
        Status status = screen_make(&engine->arena, model->head, kernels, engine->pool, head->most_rows, &head->screen,
                                    &engine->refusal);
        if (status != OK && status != ERR_UNSUPPORTED)
            return *err = engine->refusal, status;
    }
    engine->flight_settings = (FlightSettings){.vocabulary = model->vocabulary,
                                               .width = model->width,
                                               .screens = head->screen != NULL,
                                               .screens_beams = head->screen && !engine->settings.screen_greedy_only,
                                               .skips_scores = engine->settings.skips_scores,
                                               .guesses = engine->settings.lookup_decoding};
    return head_make(&engine->arena, head, err);
}

static Status engine_build(Engine *engine, const SessionModel *model, const Kernels *kernels, Error *err) {
    TRY(settle(model, &engine->settings, err));
    TRY(make_lists(engine, err));
    SessionLimits limits = {
        .most_rows = engine->settings.most_rows,
        .most_source_tokens = engine->settings.most_source_tokens,
        .pages = choose_pages(model, &engine->settings),
        .kv_kind = engine->settings.kv_kind,
        .engine_cache = engine->settings.engine_cache,
    };
    TRY(session_new(model, kernels, engine->pool, &limits, &engine->session, err));
    engine->total_pages = session_free_pages(engine->session);
    return make_head(engine, model, kernels, err);
}

Status engine_new(const SessionModel *model, const Kernels *kernels, Pool *pool, const EngineSettings *settings,
                  Engine **ret_engine, Error *err) {
    Engine *engine = memory_new(1, sizeof *engine, err);
    TRY_NEW(engine);
    *engine = (Engine){.pool = pool, .settings = *settings};
    arena_init(&engine->arena, 0);
    Status status = engine_build(engine, model, kernels, err);
    if (status != OK) {
        engine_free(engine);
        return status;
    }
    *ret_engine = engine;
    return OK;
}

void engine_free(Engine *engine) {
    if (!engine)
        return;
    for (size_t i = 0; i < engine->running_count; i++)
        session_close(engine->session, engine->running[i]->source);
    for (size_t i = 0; engine->flights && i < engine->settings.most_requests; i++)
        arena_done(&engine->flights[i].arena);
    session_free(engine->session);
    arena_done(&engine->arena);
    memory_free(engine);
}

bool engine_has_room(const Engine *engine) {
    return engine->idle_count > 0;
}

Session *engine_session(Engine *engine) {
    return engine->session;
}

EngineCounts engine_counts(const Engine *engine) {
    EngineCounts counts = engine->counts;
    counts.screened_rows = engine->head.screen_rows;
    counts.unproven_rows = engine->head.screen_failures;
    counts.rescored_words = engine->head.screen_words;
    return counts;
}

const char *engine_screen_refusal(const Engine *engine) {
    return engine->settings.lm_head_screen && !engine->head.screen ? engine->refusal.message : NULL;
}

Status request_check(const Request *request, size_t positions, size_t vocabulary, Error *err) {
    if (request->count == 0)
        return FAIL(err, ERR_USAGE, "the source has no tokens, expected at least 1");
    if (request->count > positions)
        return FAIL(err, ERR_LIMIT, "the source has %zu tokens, but the model has %zu positions", request->count,
                    positions);
    for (size_t i = 0; i < request->count; i++) {
        if (request->ids[i] < 0 || (size_t)request->ids[i] >= vocabulary)
            return FAIL(err, ERR_USAGE, "token %zu of the source is %d, but the model's vocabulary has ids 0 to %zu", i,
                        request->ids[i], vocabulary - 1);
    }
    TRY(generation_check(&request->options, vocabulary, err));
    int64_t most_new = generation_max_length(&request->options) - 1; // the last new token takes no position
    if (most_new > (int64_t)positions)
        return FAIL(err, ERR_LIMIT, "up to %lld new tokens are wanted, but the model has %zu positions",
                    (long long)most_new, positions);
    return OK;
}

static Status check_request(const Engine *engine, const Request *request, Error *err) {
    TRY(request_check(request, engine->settings.most_positions, engine->flight_settings.vocabulary, err));
    size_t rows =
        (size_t)(request->options.num_beams > 1 ? request->options.num_beams : request->options.num_return_sequences);
    if (rows > engine->settings.most_rows)
        return FAIL(err, ERR_LIMIT, "the request needs %zu rows of a step (beams or samples), but there are %zu", rows,
                    engine->settings.most_rows);
    return OK;
}

static Status submit(Engine *engine, Flight *flight, const Request *request, Error *err) {
    TRY(flight_prepare(flight, request, &engine->flight_settings, err));
    size_t pages = session_pages_needed(engine->session, flight->tokens, flight->most_slots);
    if (pages > engine->total_pages)
        return FAIL(err, ERR_LIMIT,
                    "%zu source tokens and up to %zu decoder tokens need %zu K/V pages, but there are %zu",
                    flight->tokens, flight->most_slots, pages, engine->total_pages);
    return OK;
}

Status engine_submit(Engine *engine, const Request *request, Error *err) {
    TRY(check_request(engine, request, err));
    if (engine->idle_count == 0)
        return FAIL(err, ERR_LIMIT, "%zu requests are in flight, which is the limit", engine->settings.most_requests);
    Flight *flight = engine->idle[engine->idle_count - 1];
    Status status = submit(engine, flight, request, err);
    if (status != OK) {
        arena_reset(&flight->arena);
        return status;
    }
    engine->idle_count--;
    engine->waiting[engine->waiting_count++] = flight;
    return OK;
}

typedef struct Done {
    void (*call)(void *context, const Answer *answer);
    void *context;
} Done;

// Answers with the error, or with what the flight found, and frees its place.
static void answer(Engine *engine, Flight *flight, const Error *error, const Done *done) {
    Error own;
    if (flight->source)
        session_close(engine->session, flight->source);
    flight->source = NULL;
    if (!error && flight_answer(flight, &own) != OK)
        error = &own;
    Answer result = {.user = flight->request.user, .error = error};
    if (!error) {
        result.sequences = flight->sequences;
        result.sequence_count = (size_t)flight->rules.options.num_return_sequences;
    }
    done->call(done->context, &result);
    arena_reset(&flight->arena);
    engine->idle[engine->idle_count++] = flight;
}

static void fail_running(Engine *engine, const Error *error, const Done *done) {
    size_t count = engine->running_count;
    engine->running_count = 0;
    engine->running_rows = 0;
    for (size_t i = 0; i < count; i++)
        answer(engine, engine->running[i], error, done);
}

static Flight *waiting_take(Engine *engine) {
    Flight *first = engine->waiting[0];
    engine->waiting_count--;
    memmove(engine->waiting, engine->waiting + 1, engine->waiting_count * sizeof *engine->waiting);
    return first;
}

// Admits in strict order of arrival, so that no request starves, what one encode step can take.
static size_t admit(Engine *engine, const Done *done) {
    size_t joined = 0, tokens = 0;
    while (engine->waiting_count > 0) {
        Flight *next = engine->waiting[0];
        bool fits = engine->running_rows + next->hypotheses <= engine->settings.most_rows &&
                    tokens + next->tokens <= engine->settings.most_source_tokens &&
                    session_pages_needed(engine->session, next->tokens, next->most_slots) <=
                        session_free_pages(engine->session);
        if (!fits)
            break;
        waiting_take(engine);
        Error error;
        if (session_open(engine->session, next->tokens, next->most_slots, &next->source, &error) != OK) {
            answer(engine, next, &error, done);
            continue;
        }
        engine->items[joined++] = (EncodeItem){
            .source = next->source,
            .ids = next->ids,
            .positions = next->positions,
            .tokens = next->tokens,
            .keys = next->tokens,
        };
        tokens += next->tokens;
        engine->running_rows += next->hypotheses;
        engine->running[engine->running_count++] = next;
    }
    return joined;
}

// Rows that no flight needs are there for guesses, first come first served.
static size_t collect_rows(Engine *engine) {
    size_t count = 0, spare = engine->settings.most_rows - engine->running_rows;
    for (size_t i = 0; i < engine->running_count; i++) {
        Flight *flight = engine->running[i];
        size_t first = count;
        engine->first_rows[i] = first;
        count += flight_rows(flight, spare, engine->rows + count);
        spare -= flight->greedy ? count - first - 1 : 0;
        for (size_t row = first; row < count; row++)
            engine->work[row] = (RowWork){.flight = flight, .row = row - first};
    }
    return count;
}

// Tile `index` ends the step of running flight `index`.
static void end_step(void *context, size_t index) {
    Engine *engine = context;
    engine->alive[index] = flight_advance(engine->running[index], engine->logits[engine->first_rows[index]]);
}

// Answers a flight that has ended well, once its late log-probabilities are there.
static void finish(Engine *engine, Flight *flight, const Done *done) {
    Error error;
    bool settled = head_settle(&engine->head, flight, &error) == OK;
    if (flight->greedy) {
        engine->counts.guessed += flight->guessed;
        engine->counts.guessed_right += flight->guessed_right;
        engine->counts.greedy_steps += flight->chains[0].count - 1 - flight->guessed_right;
    }
    answer(engine, flight, settled ? NULL : &error, done);
}

static void release_finished(Engine *engine, const Done *done) {
    size_t count = engine->running_count;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        Flight *flight = engine->running[i];
        if (engine->alive[i]) {
            engine->running[kept++] = flight;
            continue;
        }
        engine->running_rows -= flight->hypotheses;
        finish(engine, flight, done);
    }
    engine->running_count = kept;
}

bool engine_step(Engine *engine, void (*call)(void *context, const Answer *answer), void *context) {
    Done done = {call, context};
    if (engine->waiting_count + engine->running_count == 0)
        return false;
    Error error;
    size_t joined = admit(engine, &done);
    if (joined > 0 && session_encode(engine->session, engine->items, joined, NULL, &error) != OK) {
        fail_running(engine, &error, &done);
        return true;
    }
    size_t rows = collect_rows(engine);
    if (rows == 0)
        return true;
    if (head_step(&engine->head, engine->rows, engine->work, rows, engine->logits, &error) != OK) {
        fail_running(engine, &error, &done);
        return true;
    }
    pool_run(engine->pool, engine->running_count, end_step, engine);
    release_finished(engine, &done);
    return true;
}
