// SPDX-License-Identifier: Apache-2.0
// The engine: requests wait until the scheduler lets them join, are encoded, run step by step beside the others, and
// leave when done. A request that was admitted can always be finished.
#include "engine/engine.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "engine/head.h"
#include "engine/joining.h"

enum { PAGE_TOKENS = 16, USUAL_ROWS = 8, LEAST_ROWS = 64, USUAL_SOURCE_TOKENS = 4096 };
static const size_t usual_kv_bytes = (size_t)1 << 30;

// Encoding in slices goes better in small batches, which are as fast as large ones: 512 rows fill every kernel.
enum { SLICED_TOKENS = 512 };

struct Engine {
    Arena arena;
    Pool *pool;
    Session *session;
    SourceCache *cache;
    Scheduler *scheduler;
    Joining joining;
    Head head;
    EngineSettings settings;
    FlightSettings flight_settings;
    size_t total_pages;
    Flight *flights; // [most_requests]
    Flight **idle, **running;
    size_t idle_count, running_count; // running: in the order in which they were encoded
    size_t running_rows;              // of running
    size_t cancelled_count;           // not answered yet
    DecodeRow *rows;                  // [most_rows]
    RowWork *work;                    // [most_rows]
    size_t *first_rows;               // [most_running], where a running flight's rows begin in the step
    bool *alive;                      // [most_running], of the running after a step
    float **logits;                   // [most_rows], of the rows of the step in progress; NULL where none were needed
    EngineCounts counts;              // but for the head's
    EngineLoad load;                  // the counts of it
    uint64_t model_ns;                // of the call of engine_step in progress
    EngineWatcher watcher;
    Error refusal; // of the screen
};

// Pages for the worst case of all requests, within the budget, but for one request of the usual number of rows at
// least.
static size_t choose_pages(const SessionModel *model, const EngineSettings *settings) {
    size_t span = (settings->most_positions + PAGE_TOKENS - 1) / PAGE_TOKENS;
    size_t rows = settings->most_rows < USUAL_ROWS ? settings->most_rows : USUAL_ROWS;
    size_t page_bytes = session_page_bytes(model, settings->kv_kind);
    size_t budget = page_bytes > 0 ? settings->kv_bytes / page_bytes : 0;
    size_t least = (1 + rows) * span;
    size_t most = (settings->most_running + settings->most_rows + settings->cached_sources) * span;
    if (budget < least)
        return least;
    return budget < most ? budget : most;
}

static Status settle(const SessionModel *model, EngineSettings *settings, Error *err) {
    if (settings->most_positions == 0)
        settings->most_positions = model->most_positions;
    if (settings->most_requests == 0 || settings->most_requests > 65536)
        return FAIL(err, ERR_USAGE, "requests in flight are %zu, expected 1 to 65536", settings->most_requests);
    if (settings->most_running == 0 || settings->most_running > settings->most_requests)
        settings->most_running = settings->most_requests;
    if (settings->most_rows == 0)
        settings->most_rows =
            settings->most_running * USUAL_ROWS > LEAST_ROWS ? settings->most_running * USUAL_ROWS : LEAST_ROWS;
    if (settings->most_rows > (size_t)65536 * USUAL_ROWS)
        return FAIL(err, ERR_USAGE, "rows of a step are %zu, expected at most %d", settings->most_rows,
                    65536 * USUAL_ROWS);
    size_t together; // of all requests that may join in one step
    if (!size_multiply(settings->most_running, settings->most_positions, &together))
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
    size_t requests = engine->settings.most_requests, running = engine->settings.most_running;
    TRY_NEW(engine->flights = arena_array(arena, requests, sizeof *engine->flights, err));
    TRY_NEW(engine->idle = arena_array(arena, requests, sizeof(Flight *), err));
    TRY_NEW(engine->running = arena_array(arena, running, sizeof(Flight *), err));
    TRY_NEW(engine->first_rows = arena_array(arena, running, sizeof *engine->first_rows, err));
    TRY_NEW(engine->alive = arena_array(arena, running, sizeof *engine->alive, err));
    TRY_NEW(engine->rows = arena_array(arena, engine->settings.most_rows, sizeof *engine->rows, err));
    TRY_NEW(engine->work = arena_array(arena, engine->settings.most_rows, sizeof *engine->work, err));
    TRY_NEW(engine->logits = arena_array(arena, engine->settings.most_rows, sizeof *engine->logits, err));
    for (size_t i = requests; i-- > 0;) {
        arena_init(&engine->flights[i].arena, 0);
        engine->idle[engine->idle_count++] = &engine->flights[i];
    }
    return OK;
}

static Flight *flight_of(const Ticket *ticket) {
    return (Flight *)((char *)(uintptr_t)ticket - offsetof(Flight, ticket));
}

// Pages that joining would take now. A source that only the cache holds lies in pages that count as free until somebody
// needs them.
static size_t pages_of(void *context, const Ticket *ticket) {
    const Engine *engine = context;
    const Flight *flight = flight_of(ticket);
    const Encoded *known = engine->cache && !flight->positions
                               ? source_cache_find(engine->cache, flight->request.salt, flight->ids, flight->tokens)
                               : NULL;
    bool shared = known && encoded_is_shared(known);
    return session_pages_needed(engine->session, shared ? 0 : flight->tokens, flight->most_slots);
}

static Status make_scheduler(Engine *engine, Error *err) {
    const EngineSettings *own = &engine->settings;
    size_t sliced = own->most_source_tokens < SLICED_TOKENS ? own->most_source_tokens : SLICED_TOKENS;
    SchedulerSettings settings = {
        .most_waiting = own->most_requests,
        .most_waiting_tokens = own->most_waiting_tokens,
        .most_running = own->most_running,
        .most_rows = own->most_rows,
        .encode_tokens = own->slices_encoder ? sliced : own->most_source_tokens,
        .slices = own->slices_encoder,
        .queue_delay_ns = own->queue_delay_ns,
        .ageing_ns = own->ageing_ns,
        .step_target_ns = own->step_target_ns,
        .pages = pages_of,
        .context = engine,
    };
    TRY(scheduler_make(&engine->arena, &settings, &engine->scheduler, err));
    if (own->cached_sources)
        TRY(source_cache_new(engine->session, own->cached_sources, &engine->cache, err));
    engine->joining = (Joining){.session = engine->session, .cache = engine->cache};
    return joining_make(&engine->arena, &engine->joining, own->most_running, err);
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
    TRY(make_scheduler(engine, err));
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
    joining_end(&engine->joining);
    for (size_t i = 0; engine->flights && i < engine->settings.most_requests; i++)
        if (engine->flights[i].ticket.state == TICKET_ENCODING || engine->flights[i].ticket.state == TICKET_RUNNING)
            session_close(engine->session, engine->flights[i].source);
    source_cache_free(engine->cache);
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
    uint64_t now = clock_ns();
    flight->times.submitted_ns = now;
    flight->ticket = (Ticket){.source_tokens = flight->tokens,
                              .rows = flight->hypotheses,
                              .most_new_tokens = flight->rules.max_length - 1,
                              .priority = request->priority,
                              .tenant = request->tenant,
                              .deadline_ns = request->deadline_ns};
    return scheduler_add(engine->scheduler, &flight->ticket, now, err);
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
    return OK;
}

bool engine_cancel(Engine *engine, const void *user) {
    for (size_t i = 0; i < engine->settings.most_requests; i++) {
        Flight *flight = &engine->flights[i];
        if (flight->ticket.state == TICKET_NONE || flight->request.user != user || flight->cancelled)
            continue;
        flight->cancelled = true;
        engine->cancelled_count++;
        return true;
    }
    return false;
}

void engine_cancel_all(Engine *engine) {
    for (size_t i = 0; i < engine->settings.most_requests; i++) {
        Flight *flight = &engine->flights[i];
        if (flight->ticket.state == TICKET_NONE || flight->cancelled)
            continue;
        flight->cancelled = true;
        engine->cancelled_count++;
    }
}

void engine_watch(Engine *engine, EngineWatcher watcher) {
    engine->watcher = watcher;
}

typedef struct Done {
    void (*call)(void *context, const Answer *answer);
    void *context;
} Done;

static size_t new_tokens(const Flight *flight) {
    size_t count = 0;
    for (size_t i = 0; i < (size_t)flight->rules.options.num_return_sequences; i++)
        count += flight->sequences[i].count;
    return count;
}

// Answers with the error, or with what the flight found, and frees its place.
static void answer(Engine *engine, Flight *flight, const Error *error, const Done *done) {
    Error own;
    if (flight->source)
        session_close(engine->session, flight->source);
    flight->source = NULL;
    engine->cancelled_count -= flight->cancelled;
    if (!error && flight_answer(flight, &own) != OK)
        error = &own;
    flight->times.ended_ns = clock_ns();
    Answer result = {.user = flight->request.user, .error = error, .times = flight->times};
    if (!error) {
        result.sequences = flight->sequences;
        result.sequence_count = (size_t)flight->rules.options.num_return_sequences;
        engine->load.new_tokens += new_tokens(flight);
    }
    scheduler_leave(engine->scheduler, &flight->ticket, error ? 0 : flight->sequences[0].count);
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

static void fail_joining(Engine *engine, const Error *error, const Done *done) {
    size_t count = engine->joining.count;
    joining_end(&engine->joining);
    for (size_t i = 0; i < count; i++)
        answer(engine, engine->joining.flights[i], error, done);
}

static void run_from_now(Engine *engine, Flight *flight) {
    flight->times.encoded_ns = clock_ns();
    engine->running[engine->running_count++] = flight;
    engine->running_rows += flight->hypotheses;
}

// Takes a flight out of what runs or encodes, and answers it.
static void end_early(Engine *engine, Flight *flight, Status status, const Done *done) {
    static const char *const phases[] = {"", "waited", "was encoded", "was decoded"};
    const char *phase = phases[flight->ticket.state];
    Error error;
    if (status == ERR_INTERRUPTED)
        error_set(&error, status, __FILE__, __LINE__, "cancelled while it %s", phase);
    else
        error_set(&error, status, __FILE__, __LINE__, "its deadline passed while it %s", phase);
    if (flight->ticket.state == TICKET_ENCODING)
        joining_leave(&engine->joining, flight);
    if (flight->ticket.state == TICKET_RUNNING) {
        size_t kept = 0;
        for (size_t i = 0; i < engine->running_count; i++)
            if (engine->running[i] != flight)
                engine->running[kept++] = engine->running[i];
        engine->running_count = kept;
        engine->running_rows -= flight->hypotheses;
    }
    answer(engine, flight, &error, done);
}

// Those that were cancelled, and those that run past their deadline. A batch that nobody waits for is given up.
static void end_unwanted(Engine *engine, uint64_t now, const Done *done) {
    for (size_t i = 0; i < engine->settings.most_requests; i++) {
        Flight *flight = &engine->flights[i];
        uint64_t deadline = flight->ticket.deadline_ns;
        if (flight->ticket.state == TICKET_NONE)
            continue;
        if (flight->cancelled)
            end_early(engine, flight, ERR_INTERRUPTED, done);
        else if (deadline && now >= deadline)
            end_early(engine, flight, ERR_LATE, done);
    }
    if (engine->joining.item_count && !engine->joining.count)
        joining_end(&engine->joining);
}

static void shed(Engine *engine, const ScheduledStep *step, const Done *done) {
    for (size_t i = 0; i < step->shed_count; i++) {
        Error error;
        error_set(&error, ERR_LATE, __FILE__, __LINE__, "its deadline cannot be met any more: it was not begun");
        answer(engine, flight_of(step->shed[i]), &error, done);
    }
}

// Opens what joins. Sources that were encoded before run at once.
static void begin_joining(Engine *engine, const ScheduledStep *step, const Done *done) {
    uint64_t now = clock_ns();
    for (size_t i = 0; i < step->join_count; i++) {
        Flight *flight = flight_of(step->join[i]);
        bool encoded = false;
        Error error;
        flight->times.joined_ns = now;
        if (joining_add(&engine->joining, flight, &encoded, &error) != OK) {
            answer(engine, flight, &error, done);
            continue;
        }
        if (engine->watcher.joined)
            engine->watcher.joined(engine->watcher.context, flight->request.user);
        if (encoded) {
            scheduler_skip_encode(engine->scheduler, &flight->ticket);
            run_from_now(engine, flight);
        }
    }
    Error error;
    if (engine->joining.item_count && joining_begin(&engine->joining, &error) != OK)
        fail_joining(engine, &error, done);
}

// Runs the batch for that long; what it took. *ret_ended: it is done, and its requests run.
static uint64_t encode(Engine *engine, uint64_t budget_ns, bool *ret_ended) {
    Joining *joining = &engine->joining;
    uint64_t begun = clock_ns();
    *ret_ended = joining_run(joining, budget_ns);
    uint64_t spent = clock_ns() - begun;
    scheduler_encoded(engine->scheduler, spent, *ret_ended, joining->tokens, joining->squares);
    engine->load.encode_ns += spent;
    engine->model_ns += spent;
    if (!*ret_ended)
        return spent;
    engine->load.encode_batches++;
    engine->load.encode_tokens += joining->tokens;
    engine->load.padding_tokens += joining->item_count * joining->longest - joining->tokens;
    for (size_t i = 0; i < joining->count; i++)
        run_from_now(engine, joining->flights[i]);
    joining_end(joining);
    return spent;
}

static size_t available_pages(const Engine *engine) {
    size_t pages = session_free_pages(engine->session);
    return engine->cache ? pages + source_cache_idle_pages(engine->cache) : pages;
}

// Lets requests join and encodes them, batch after batch, for as long as the scheduler allows before a decode step.
static void join_and_encode(Engine *engine, const Done *done) {
    ScheduledStep step;
    bool ended = true;
    for (uint64_t spent = 0; ended;) {
        scheduler_next(engine->scheduler, clock_ns(), available_pages(engine), &step);
        shed(engine, &step, done);
        if (step.join_count)
            begin_joining(engine, &step, done);
        if (!engine->joining.count || (spent && spent >= step.encode_ns))
            return;
        bool whole = step.encode_ns == UINT64_MAX;
        spent += encode(engine, whole ? step.encode_ns : step.encode_ns - spent, &ended);
        if (whole)
            return;
    }
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

// Tells what is new of each, and counts their first tokens.
static void tell_tokens(Engine *engine) {
    uint64_t now = clock_ns();
    for (size_t i = 0; i < engine->running_count; i++) {
        Flight *flight = engine->running[i];
        size_t count;
        const int32_t *ids = flight_tokens(flight, &count);
        if (!flight->times.first_token_ns)
            flight->times.first_token_ns = now;
        if (count > flight->told && engine->watcher.tokens)
            engine->watcher.tokens(engine->watcher.context, flight->request.user, ids, count);
        flight->told = count;
    }
}

static void decode(Engine *engine, const Done *done) {
    uint64_t begun = clock_ns();
    Error error;
    size_t rows = collect_rows(engine), keys = 0;
    if (rows == 0)
        return;
    for (size_t i = 0; i < engine->running_count; i++)
        keys += flight_keys(engine->running[i]);
    if (head_step(&engine->head, engine->rows, engine->work, rows, engine->logits, &error) != OK) {
        fail_running(engine, &error, done);
        return;
    }
    pool_run(engine->pool, engine->running_count, end_step, engine);
    uint64_t spent = clock_ns() - begun;
    scheduler_decoded(engine->scheduler, rows, keys, spent);
    engine->load.decode_ns += spent;
    engine->model_ns += spent;
    engine->load.decode_steps++;
    engine->load.decode_rows += rows;
    tell_tokens(engine);
    release_finished(engine, done);
}

bool engine_step(Engine *engine, void (*call)(void *context, const Answer *answer), void *context) {
    Done done = {call, context};
    if (engine->idle_count == engine->settings.most_requests)
        return false;
    uint64_t begun = clock_ns();
    engine->model_ns = 0;
    end_unwanted(engine, begun, &done);
    join_and_encode(engine, &done);
    if (engine->running_count)
        decode(engine, &done);
    engine->load.other_ns += clock_ns() - begun - engine->model_ns;
    return true;
}

EngineLoad engine_load(const Engine *engine) {
    EngineLoad load = engine->load;
    SchedulerView view = scheduler_view(engine->scheduler);
    const Cost *encoding = scheduler_cost(engine->scheduler, true),
               *decoding = scheduler_cost(engine->scheduler, false);
    load.waiting = view.waiting;
    load.waiting_tokens = view.waiting_tokens;
    load.encoding = view.encoding;
    load.running = view.running;
    load.rows = view.rows;
    load.most_running = view.most_running;
    load.pages = engine->total_pages;
    load.cached_pages = engine->cache ? source_cache_idle_pages(engine->cache) : 0;
    size_t used = engine->total_pages - session_free_pages(engine->session) - load.cached_pages;
    for (size_t i = 0; i < engine->settings.most_requests; i++) {
        const Flight *flight = &engine->flights[i];
        if (flight->source)
            load.self_pages += session_pages_needed(engine->session, 0, flight->most_slots);
    }
    load.cross_pages = used - load.self_pages;
    load.cache_hits = engine->joining.hits;
    load.cache_misses = engine->joining.misses;
    load.cache_hit_tokens = engine->joining.hit_tokens;
    load.head_ns = engine->head.spent_ns;
    load.predicted_ns = encoding->predicted_ns + decoding->predicted_ns;
    load.actual_ns = encoding->actual_ns + decoding->actual_ns;
    return load;
}

uint64_t engine_wait_ns(const Engine *engine) {
    return scheduler_wait_ns(engine->scheduler);
}

void engine_set_most_running(Engine *engine, size_t most) {
    scheduler_set_most_running(engine->scheduler, most);
}
