// SPDX-License-Identifier: Apache-2.0
// A clock, a queue of arrivals, and the engine.
#include "measure/serving.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "measure/statistics.h"

typedef struct Arrival {
    uint64_t due_ns, first_ns, last_ns, ended_ns; // first, last: its tokens
    size_t source, new_tokens, told;
} Arrival;

// How far a run was at a moment.
typedef struct Mark {
    uint64_t ns, tokens;
    size_t ended;
    EngineLoad load;
} Mark;

typedef struct Run {
    Engine *engine;
    const ServingWork *work;
    Arrival *arrivals; // [requests]
    size_t next, in_engine, ended;
    size_t *batch; // [requests], of a static batch: those that wait, by length
    double *gaps_ms;
    size_t gap_count, gap_most;
    uint64_t tokens; // so far
    Mark begin, end; // of the middle
    Error failure;
} Run;

static double uniform(Random *random) {
    return ((double)(random_next(random) >> 11) + 0.5) / 9007199254740992.0;
}

static void arrivals_draw(Run *run, uint64_t begun) {
    const ServingWork *work = run->work;
    Random random = {work->seed};
    double at = 0;
    for (size_t i = 0; i < work->requests; i++) {
        at += work->rate > 0 ? -log(uniform(&random)) / work->rate : 0;
        run->arrivals[i] = (Arrival){.due_ns = begun + (uint64_t)(at * 1e9),
                                     .source = (size_t)(uniform(&random) * (double)work->source_count),
                                     .new_tokens = lengths_draw(&work->outputs, &random)};
    }
}

static Status submit(Run *run, size_t index, size_t new_tokens, Error *err) {
    Arrival *arrival = &run->arrivals[index];
    Request request = {.ids = run->work->sources[arrival->source],
                       .count = run->work->source_lengths[arrival->source],
                       .options = run->work->options,
                       .user = arrival};
    request.options.max_new_tokens = request.options.min_new_tokens = (int64_t)new_tokens;
    TRY(engine_submit(run->engine, &request, err));
    run->in_engine++;
    return OK;
}

static void on_tokens(void *context, void *user, const int32_t *ids, size_t count) {
    (void)ids;
    Run *run = context;
    Arrival *arrival = user;
    uint64_t now = clock_ns();
    count = count < arrival->new_tokens ? count : arrival->new_tokens;
    if (count == arrival->told)
        return;
    if (!arrival->first_ns)
        arrival->first_ns = now;
    else
        for (size_t i = arrival->told; i < count && run->gap_count < run->gap_most; i++)
            run->gaps_ms[run->gap_count++] = (double)(now - arrival->last_ns) / 1e6 / (double)(count - arrival->told);
    run->tokens += count - arrival->told;
    arrival->last_ns = now;
    arrival->told = count;
}

static void on_answer(void *context, const Answer *answer) {
    Run *run = context;
    Arrival *arrival = answer->user;
    arrival->ended_ns = clock_ns();
    if (!arrival->first_ns)
        arrival->first_ns = answer->times.first_token_ns;
    if (answer->error)
        run->failure = *answer->error;
    run->in_engine--;
    run->ended++;
}

static int shorter(const void *a, const void *b) {
    return *(const size_t *)a < *(const size_t *)b ? -1 : *(const size_t *)a > *(const size_t *)b;
}

// The next batch of those that have arrived: sorted by source length, one run of neighbours, the one that holds who has
// waited longest. Sorting keys: length, then place.
static size_t static_batch(Run *run, uint64_t now) {
    const ServingWork *work = run->work;
    size_t count = 0, most = work->static_batch;
    uint64_t oldest = 0;
    for (size_t i = 0; i < work->requests && run->arrivals[i].due_ns <= now; i++) {
        if (run->arrivals[i].told != SIZE_MAX)
            continue;
        run->batch[count] = work->source_lengths[run->arrivals[i].source] << 32 | i;
        oldest = count ? oldest : run->batch[0];
        count++;
    }
    qsort(run->batch, count, sizeof *run->batch, shorter);
    size_t first = 0;
    while (first < count && run->batch[first] != oldest)
        first++;
    first = first / most * most;
    size_t taken = count - first < most ? count - first : most;
    memmove(run->batch, run->batch + first, taken * sizeof *run->batch);
    return taken;
}

static Status fill_static(Run *run, uint64_t now, Error *err) {
    if (run->in_engine)
        return OK;
    size_t taken = static_batch(run, now), longest = 0;
    for (size_t i = 0; i < taken; i++) {
        const Arrival *arrival = &run->arrivals[run->batch[i] & UINT32_MAX];
        longest = arrival->new_tokens > longest ? arrival->new_tokens : longest;
    }
    for (size_t i = 0; i < taken; i++) {
        size_t index = run->batch[i] & UINT32_MAX;
        run->arrivals[index].told = 0;
        TRY(submit(run, index, run->work->static_whole ? longest : run->arrivals[index].new_tokens, err));
    }
    run->next += taken;
    return OK;
}

static Status fill(Run *run, uint64_t now, Error *err) {
    const ServingWork *work = run->work;
    if (work->static_batch)
        return fill_static(run, now, err);
    while (run->next < work->requests && run->arrivals[run->next].due_ns <= now && engine_has_room(run->engine) &&
           (!work->in_flight || run->in_engine < work->in_flight)) {
        if (work->in_flight)
            run->arrivals[run->next].due_ns = now;
        TRY(submit(run, run->next, run->arrivals[run->next].new_tokens, err));
        run->next++;
    }
    return OK;
}

static void sleep_until_due(const Run *run, uint64_t now) {
    uint64_t due = run->arrivals[run->next].due_ns;
    if (due <= now)
        return;
    struct timespec wait = {.tv_sec = (time_t)((due - now) / 1000000000u),
                            .tv_nsec = (long)((due - now) % 1000000000u)};
    nanosleep(&wait, NULL);
}

static Mark mark(const Run *run) {
    return (Mark){clock_ns(), run->tokens, run->ended, engine_load(run->engine)};
}

static Status go(Run *run, void (*tell)(void *context, uint64_t done, uint64_t total), void *context, Error *err) {
    while (run->ended < run->work->requests) {
        uint64_t now = clock_ns();
        TRY(fill(run, now, err));
        if (!engine_step(run->engine, on_answer, run))
            sleep_until_due(run, now);
        if (run->failure.status != OK)
            return *err = run->failure, err->status;
        bool whole = !run->work->static_batch || !run->in_engine; // static batches count whole
        if (!run->begin.ns && run->ended >= run->work->requests / 5 && whole)
            run->begin = mark(run);
        else if (!run->end.ns && run->ended >= run->work->requests - run->work->requests / 5 && whole)
            run->end = mark(run);
        if (tell)
            tell(context, run->ended, run->work->requests);
    }
    return OK;
}

static void summarize(double *values, size_t count, double ret[3]) {
    statistics_sort(values, count);
    static const double percents[] = {50, 95, 99};
    for (int i = 0; i < 3; i++)
        ret[i] = count ? statistics_percentile(values, count, percents[i]) : NAN;
}

static void figures_fill(Run *run, uint64_t begun, double *values, ServingFigures *ret) {
    size_t count = run->work->requests, paced = 0;
    Mark *begin = &run->begin, *end = &run->end;
    if (!end->ns) // a single batch, or so few requests that there is no middle
        *end = mark(run), *begin = (Mark){.ns = begun};
    double middle = (double)(end->ns - begin->ns) / 1e9;
    *ret = (ServingFigures){.seconds = (double)(clock_ns() - begun) / 1e9,
                            .requests_per_s = (double)(end->ended - begin->ended) / middle,
                            .tokens_per_s = (double)(end->tokens - begin->tokens) / middle,
                            .load = engine_load(run->engine)};
    for (size_t i = 0; i < count; i++)
        values[i] = (double)(run->arrivals[i].first_ns - run->arrivals[i].due_ns) / 1e6;
    summarize(values, count, ret->first_token_ms);
    for (size_t i = 0; i < count; i++)
        values[i] = (double)(run->arrivals[i].ended_ns - run->arrivals[i].due_ns) / 1e6;
    summarize(values, count, ret->request_ms);
    for (size_t i = 0; i < count; i++) {
        const Arrival *a = &run->arrivals[i];
        if (a->new_tokens > 1 && a->last_ns > a->first_ns)
            values[paced++] = (double)(a->last_ns - a->first_ns) / 1e6 / (double)(a->new_tokens - 1);
    }
    summarize(values, paced, ret->token_ms);
    summarize(run->gaps_ms, run->gap_count, ret->gap_ms);
    size_t steps = end->load.decode_steps - begin->load.decode_steps;
    ret->rows_per_step = steps ? (double)(end->load.decode_rows - begin->load.decode_rows) / (double)steps : 0;
    ret->encode_share = (double)(end->load.encode_ns - begin->load.encode_ns) / 1e9 / middle;
    ret->other_share = (double)(end->load.other_ns - begin->load.other_ns) / 1e9 / middle;
}

Status serving_run(Engine *engine, const ServingWork *work, void (*tell)(void *context, uint64_t done, uint64_t total),
                   void *context, ServingFigures *ret, Error *err) {
    Arena arena;
    arena_init(&arena, 0);
    Run run = {.engine = engine, .work = work, .gap_most = work->requests * (size_t)work->outputs.high};
    double *values = NULL;
    Status status = OK;
    if (!(run.arrivals = arena_array(&arena, work->requests, sizeof *run.arrivals, err)) ||
        !(run.batch = arena_array(&arena, work->requests, sizeof *run.batch, err)) ||
        !(run.gaps_ms = arena_array(&arena, run.gap_most, sizeof *run.gaps_ms, err)) ||
        !(values = arena_array(&arena, work->requests, sizeof *values, err)))
        status = err->status;
    if (status == OK) {
        uint64_t begun = clock_ns();
        arrivals_draw(&run, begun);
        for (size_t i = 0; i < work->requests && work->static_batch; i++)
            run.arrivals[i].told = SIZE_MAX; // not taken yet
        engine_watch(engine, (EngineWatcher){.tokens = on_tokens, .context = &run});
        status = go(&run, tell, context, err);
        engine_watch(engine, (EngineWatcher){0});
        if (status == OK)
            figures_fill(&run, begun, values, ret);
    }
    arena_done(&arena);
    return status;
}
