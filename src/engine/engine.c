// SPDX-License-Identifier: Apache-2.0
// The engine: requests wait until the scheduler lets them join, are encoded, run step by step beside the others, and
// leave when done. A request that was admitted can always be finished.
#include "engine/engine_work.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

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

// The memory of a flight: an arena that was warm before where there is one.
static Status prepare(Engine *engine, Flight *flight, Error *err) {
    if (engine->arena_count)
        flight->arena = engine->arenas[--engine->arena_count];
    else
        arena_init(&flight->arena, 0);
    return flight_prepare(flight, err);
}

static void unprepare(Engine *engine, Flight *flight) {
    if (engine->arena_count < engine->settings.most_running && flight->arena.newest) {
        arena_reset(&flight->arena);
        engine->arenas[engine->arena_count++] = flight->arena;
    } else
        arena_done(&flight->arena);
    arena_init(&flight->arena, 0);
    flight->prepared = false;
}

// Only who may join at once is prepared now: those that wait take no memory.
static Status submit(Engine *engine, Flight *flight, const Request *request, Error *err) {
    flight_measure(flight, request, &engine->flight_settings);
    size_t pages = session_pages_needed(engine->session, flight->tokens, flight->most_slots);
    if (pages > engine->total_pages)
        return FAIL(err, ERR_LIMIT,
                    "%zu source tokens and up to %zu decoder tokens need %zu K/V pages, but there are %zu",
                    flight->tokens, flight->most_slots, pages, engine->total_pages);
    if (engine->settings.most_requests - engine->idle_count < engine->settings.most_running)
        TRY(prepare(engine, flight, err));
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
        unprepare(engine, flight);
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
        return flight->cancelled = true;
    }
    return false;
}

void engine_cancel_all(Engine *engine) {
    for (size_t i = 0; i < engine->settings.most_requests; i++)
        engine->flights[i].cancelled = engine->flights[i].ticket.state != TICKET_NONE;
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
    unprepare(engine, flight);
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
        Status status = flight->prepared ? OK : prepare(engine, flight, &error);
        if (status == OK)
            status = joining_add(&engine->joining, flight, &encoded, &error);
        if (status != OK) {
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
