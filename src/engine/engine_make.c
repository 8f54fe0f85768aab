// SPDX-License-Identifier: Apache-2.0
// Setting up and taking down an engine: sizes, lists, session, scheduler, cache, head.
#include "engine/engine_work.h"

#include "base/memory.h"

enum { PAGE_TOKENS = 16, USUAL_ROWS = 8, LEAST_ROWS = 64, USUAL_SOURCE_TOKENS = 4096 };
static const size_t usual_kv_bytes = (size_t)1 << 30;

// Encoding in slices goes better in small batches, which are as fast as large ones: 512 rows fill every kernel.
enum { SLICED_TOKENS = 512 };

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
    TRY_NEW(engine->arenas = arena_array(arena, running, sizeof *engine->arenas, err));
    for (; engine->arena_count < running; engine->arena_count++)
        arena_init(&engine->arenas[engine->arena_count], 0);
    for (size_t i = requests; i-- > 0;) {
        arena_init(&engine->flights[i].arena, 0);
        engine->idle[engine->idle_count++] = &engine->flights[i];
    }
    return OK;
}

// Pages that joining would take now. A source that only the cache holds lies in pages that count as free until somebody
// needs them.
static size_t pages_of(void *context, const Ticket *ticket) {
    const Engine *engine = context;
    const Flight *flight = flight_of(ticket);
    const Request *request = &flight->request;
    const Encoded *known = engine->cache && !flight->padded
                               ? source_cache_find(engine->cache, request->salt, request->ids, request->count)
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
        .whole_batches = own->whole_batches,
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
    for (size_t i = 0; i < engine->arena_count; i++)
        arena_done(&engine->arenas[i]);
    session_free(engine->session);
    arena_done(&engine->arena);
    memory_free(engine);
}
