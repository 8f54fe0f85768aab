// SPDX-License-Identifier: Apache-2.0
// Two rings of samples, and the file they are kept in.
#include "serve/history.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/memory.h"
#include "measure/store.h"

// Quantiles of one second of a quiet server would be those of one or two requests.
enum { WINDOW = 10 };
// A minute that was begun with less than this left of it is counted to the next one.
enum { LEAST_MINUTE_S = 10 };
// Longer between two samples, and the process or the machine slept.
enum { MOST_GAP_S = 10 };

typedef enum FigureKind { RATE, QUANTILE, MEAN, TIME, LEVEL, POOL } FigureKind;

static const struct {
    const char *name;
    FigureKind kind;
    MetricId metric;
    double argument;
} figures[FIGURE_COUNT] = {
#define FIGURE(id, name, kind, metric, argument) [id] = {name, kind, metric, argument},
#include "serve/history.def"
#undef FIGURE
};

static const struct {
    const char *name;
    int step_s;
    size_t most;
} spans[HISTORY_SPANS] = {{"15m", 1, 900}, {"24h", 60, 1440}};

static const char *const migrations[] = {
    "CREATE TABLE sample ("
    "  model TEXT NOT NULL, step INTEGER NOT NULL, time INTEGER NOT NULL," // seconds; seconds since 1970
    "  figures TEXT NOT NULL CHECK (json_valid(figures)),"
    "  PRIMARY KEY (model, step, time)) STRICT, WITHOUT ROWID;",
};
static const StoreKind kind = {.noun = "dashboard history",
                               .remedy = "move it away, and a new one is begun",
                               .application_id = 0x686f6e64, // "hond"
                               .migrations = migrations,
                               .forms = sizeof migrations / sizeof *migrations};

typedef struct Ring {
    HistorySample *samples;
    size_t most, first, count;
} Ring;

typedef struct Mark {
    MetricsMark *mark;
    double time; // 0: not taken
} Mark;

struct ServeHistory {
    pthread_mutex_t mutex; // of the rings, and of `kept`
    Ring rings[HISTORY_SPANS];
    bool kept;
    // What follows belongs to the thread that samples.
    Mark window[WINDOW + 1]; // the newest at `newest`, behind it the oldest
    size_t newest;
    Mark minute;
    double sums[FIGURE_COUNT]; // of the minute's seconds
    size_t counts[FIGURE_COUNT];
    Store store;
    Log *log;
    char *model;
};

static HistorySample *ring_at(const Ring *ring, size_t index) {
    return &ring->samples[(ring->first + index) % ring->most];
}

// Samples that are not older than the new one are from before the clock was set back.
static void ring_add(Ring *ring, const HistorySample *sample) {
    while (ring->count && ring_at(ring, ring->count - 1)->time >= sample->time)
        ring->count--;
    if (ring->count == ring->most) {
        ring->first = (ring->first + 1) % ring->most;
        ring->count--;
    }
    *ring_at(ring, ring->count++) = *sample;
}

static HistorySample empty_sample(double time) {
    HistorySample sample = {.time = time};
    for (size_t i = 0; i < FIGURE_COUNT; i++)
        sample.figures[i] = NAN;
    return sample;
}

static void add_number(Buffer *out, double value) {
    if (isfinite(value))
        buffer_format(out, "%.5g", value);
    else
        buffer_add_text(out, "null");
}

void history_print_sample(const HistorySample *sample, Buffer *out) {
    buffer_format(out, "{\"time\":%.3f", sample->time);
    for (size_t i = 0; i < FIGURE_COUNT; i++) {
        buffer_format(out, ",\"%s\":", figures[i].name);
        add_number(out, sample->figures[i]);
    }
    buffer_add_char(out, '}');
}

// The file is not touched again.
static void give_up(ServeHistory *history, const Error *err) {
    store_close(&history->store);
    pthread_mutex_lock(&history->mutex);
    history->kept = false;
    pthread_mutex_unlock(&history->mutex);
    log_event(history->log, LOG_WARNING, "history", history->model,
              "%s; what the dashboard shows is not kept over a restart", err->message);
}

// A row of the file as a sample; figures it lacks are NaN. Another hone may have known other figures.
static Status read_row(Arena *arena, sqlite3_stmt *row, HistorySample *ret_sample, Error *err) {
    *ret_sample = empty_sample((double)sqlite3_column_int64(row, 0));
    const unsigned char *text = sqlite3_column_text(row, 1);
    Bytes bytes = {text ? text : (const unsigned char *)"", (size_t)sqlite3_column_bytes(row, 1)};
    json_t *values;
    TRY(json_parse(arena, "dashboard history", bytes, false, &values, err));
    for (size_t i = 0; i < FIGURE_COUNT; i++) {
        const json_t *value = json_object_get(values, figures[i].name);
        if (json_is_number(value))
            ret_sample->figures[i] = json_number_value(value);
    }
    return OK;
}

static Status load_span(ServeHistory *history, HistorySpan span, double now, Error *err) {
    Ring *ring = &history->rings[span];
    StoreQuery query = store_query(&history->store, "SELECT time, figures FROM sample WHERE model = ? AND step = ?"
                                                    " AND time > ? AND time <= ? ORDER BY time DESC LIMIT ?");
    store_query_text(&query, history->model);
    store_query_int(&query, spans[span].step_s);
    store_query_int(&query, (int64_t)now - (int64_t)ring->most * spans[span].step_s);
    store_query_int(&query, (int64_t)now);
    store_query_int(&query, (int64_t)ring->most);
    Arena arena;
    arena_init(&arena, 0);
    bool row;
    Status status;
    while ((status = store_query_next(&query, &row, err)) == OK && row) {
        // newest first: filled from its end
        status = read_row(&arena, query.statement, &ring->samples[ring->most - 1 - ring->count], err);
        if (status != OK)
            break;
        ring->count++;
        arena_reset(&arena);
    }
    ring->first = (ring->most - ring->count) % ring->most;
    arena_done(&arena);
    store_query_done(&query);
    return status;
}

static Status load(ServeHistory *history, const char *path, double now, Error *err) {
    TRY(store_open(&kind, path, STORE_WRITE, &history->store, err));
    for (size_t span = 0; span < HISTORY_SPANS; span++)
        TRY(load_span(history, (HistorySpan)span, now, err));
    return OK;
}

static Status insert(Store *store, const char *model, HistorySpan span, const HistorySample *sample, Error *err) {
    Buffer text = {0};
    history_print_sample(sample, &text);
    Status status = buffer_status(&text, err);
    if (status == OK) {
        StoreQuery query = store_query(store, "INSERT OR REPLACE INTO sample (model, step, time, figures)"
                                              " VALUES (?, ?, ?, ?)");
        store_query_text(&query, model);
        store_query_int(&query, spans[span].step_s);
        store_query_int(&query, (int64_t)sample->time);
        store_query_text(&query, text.data);
        status = store_query_run(&query, err);
    }
    buffer_done(&text);
    return status;
}

// What lies outside the span goes, of every model: the file does not grow without end.
static Status trim(Store *store, HistorySpan span, double now, Error *err) {
    StoreQuery query = store_query(store, "DELETE FROM sample WHERE step = ? AND (time <= ? OR time > ?)");
    store_query_int(&query, spans[span].step_s);
    store_query_int(&query, (int64_t)now - (int64_t)spans[span].most * spans[span].step_s);
    store_query_int(&query, (int64_t)now + 1);
    return store_query_run(&query, err);
}

typedef struct Saving {
    ServeHistory *history;
    HistorySpan span;
    HistorySample sample; // the newest
} Saving;

static Status save_minute(Store *store, const void *context, Error *err) {
    const Saving *saving = context;
    TRY(insert(store, saving->history->model, saving->span, &saving->sample, err));
    return trim(store, saving->span, saving->sample.time, err);
}

static Status save_seconds(Store *store, const void *context, Error *err) {
    const Saving *saving = context;
    const Ring *ring = &saving->history->rings[saving->span];
    for (size_t i = 0; i < ring->count; i++)
        TRY(insert(store, saving->history->model, saving->span, ring_at(ring, i), err));
    return trim(store, saving->span, saving->sample.time, err);
}

static void save(ServeHistory *history, StoreWork *work, HistorySpan span, const HistorySample *newest) {
    if (!history->store.db)
        return;
    Error err;
    Saving saving = {history, span, *newest};
    if (store_transact(&history->store, work, &saving, &err) != OK)
        give_up(history, &err);
}

static Status make(ServeHistory *history, const char *model, Error *err) {
    for (size_t i = 0; i < HISTORY_SPANS; i++) {
        history->rings[i].most = spans[i].most;
        TRY_NEW(history->rings[i].samples = memory_new(spans[i].most, sizeof *history->rings[i].samples, err));
    }
    for (size_t i = 0; i <= WINDOW; i++)
        TRY(metrics_mark_new(&history->window[i].mark, err));
    TRY(metrics_mark_new(&history->minute.mark, err));
    size_t bytes = strlen(model) + 1;
    TRY_NEW(history->model = memory_new(bytes, 1, err));
    memcpy(history->model, model, bytes);
    return OK;
}

Status history_new(const char *path, const char *model, double now, Log *log, ServeHistory **ret_history, Error *err) {
    ServeHistory *history = memory_new(1, sizeof *history, err);
    TRY_NEW(history);
    *history = (ServeHistory){.mutex = PTHREAD_MUTEX_INITIALIZER, .log = log, .kept = path};
    Status status = make(history, model, err);
    if (status != OK) {
        history_free(history);
        return status;
    }
    Error unusable;
    if (path && load(history, path, now, &unusable) != OK)
        give_up(history, &unusable);
    *ret_history = history;
    return OK;
}

void history_free(ServeHistory *history) {
    if (!history)
        return;
    HistorySample newest = history_newest(history);
    if (isfinite(newest.time))
        save(history, save_seconds, HISTORY_15M, &newest);
    store_close(&history->store);
    for (size_t i = 0; i < HISTORY_SPANS; i++)
        memory_free(history->rings[i].samples);
    for (size_t i = 0; i <= WINDOW; i++)
        metrics_mark_free(history->window[i].mark);
    metrics_mark_free(history->minute.mark);
    memory_free(history->model);
    pthread_mutex_destroy(&history->mutex);
    memory_free(history);
}

// What passed between the marks and now; levels as they are now.
static HistorySample measure(const Metrics *metrics, const Mark *since, const Mark *since_quantiles, double now) {
    HistorySample sample = {.time = now};
    double elapsed = now - since->time, pages = metrics_value(metrics, METRIC_KV_PAGES, 0);
    for (size_t i = 0; i < FIGURE_COUNT; i++) {
        MetricId metric = figures[i].metric;
        double argument = figures[i].argument, *value = &sample.figures[i];
        switch (figures[i].kind) {
        case RATE:
            *value = metrics_total_since(metrics, since->mark, metric) / elapsed;
            break;
        case QUANTILE:
            *value = metrics_quantile(metrics, since_quantiles->mark, metric, 0, argument);
            break;
        case MEAN:
            *value = metrics_sum_since(metrics, since->mark, metric, 0) /
                     metrics_value_since(metrics, since->mark, metric, 0); // 0 / 0 is NaN: nothing to tell
            break;
        case TIME:
            *value = metrics_value_since(metrics, since->mark, metric, (size_t)argument) / elapsed;
            break;
        case LEVEL:
            *value = metrics_total(metrics, metric);
            break;
        case POOL:
            *value = pages > 0 ? metrics_total(metrics, metric) / pages : NAN;
            break;
        }
    }
    return sample;
}

static void mark_take(Mark *mark, const Metrics *metrics, double now) {
    metrics_mark(metrics, mark->mark);
    mark->time = now;
}

static void begin_minute(ServeHistory *history, const Metrics *metrics, double now) {
    mark_take(&history->minute, metrics, now);
    memset(history->sums, 0, sizeof history->sums);
    memset(history->counts, 0, sizeof history->counts);
}

static void begin(ServeHistory *history, const Metrics *metrics, double now) {
    for (size_t i = 0; i <= WINDOW; i++)
        history->window[i].time = 0;
    history->newest = 0;
    mark_take(&history->window[0], metrics, now);
    begin_minute(history, metrics, now);
}

static void add(ServeHistory *history, HistorySpan span, const HistorySample *sample) {
    pthread_mutex_lock(&history->mutex);
    ring_add(&history->rings[span], sample);
    pthread_mutex_unlock(&history->mutex);
}

static void end_minute(ServeHistory *history, const Metrics *metrics, double now) {
    HistorySample sample = measure(metrics, &history->minute, &history->minute, now);
    for (size_t i = 0; i < FIGURE_COUNT; i++)
        if (figures[i].kind == LEVEL || figures[i].kind == POOL)
            sample.figures[i] = history->counts[i] ? history->sums[i] / (double)history->counts[i] : NAN;
    add(history, HISTORY_24H, &sample);
    save(history, save_minute, HISTORY_24H, &sample);
    begin_minute(history, metrics, now);
}

void history_sample(ServeHistory *history, const Metrics *metrics, double now) {
    const Mark *last = &history->window[history->newest];
    if (last->time == 0 || now <= last->time || now - last->time > MOST_GAP_S) {
        begin(history, metrics, now);
        return;
    }
    const Mark *oldest = last; // behind the newest, round the ring, is the oldest that was taken
    for (size_t i = 1; i <= WINDOW && oldest == last; i++) {
        const Mark *mark = &history->window[(history->newest + i) % (WINDOW + 1)];
        if (mark->time > 0 && now - mark->time < WINDOW + 0.5)
            oldest = mark;
    }
    HistorySample sample = measure(metrics, last, oldest, now);
    add(history, HISTORY_15M, &sample);
    for (size_t i = 0; i < FIGURE_COUNT; i++)
        if (isfinite(sample.figures[i])) {
            history->sums[i] += sample.figures[i];
            history->counts[i]++;
        }
    history->newest = (history->newest + 1) % (WINDOW + 1);
    mark_take(&history->window[history->newest], metrics, now);
    if (floor(now / 60) != floor(history->minute.time / 60) && now - history->minute.time >= LEAST_MINUTE_S)
        end_minute(history, metrics, now);
}

bool history_is_kept(ServeHistory *history) {
    pthread_mutex_lock(&history->mutex);
    bool kept = history->kept;
    pthread_mutex_unlock(&history->mutex);
    return kept;
}

HistorySample history_newest(ServeHistory *history) {
    pthread_mutex_lock(&history->mutex);
    const Ring *ring = &history->rings[HISTORY_15M];
    HistorySample sample = ring->count ? *ring_at(ring, ring->count - 1) : empty_sample(NAN);
    pthread_mutex_unlock(&history->mutex);
    return sample;
}

const char *history_figure_name(HistoryFigure figure) {
    return figures[figure].name;
}

double history_mean(ServeHistory *history, HistoryFigure figure, double seconds) {
    pthread_mutex_lock(&history->mutex);
    const Ring *ring = &history->rings[HISTORY_15M];
    double sum = 0, count = 0, from = ring->count ? ring_at(ring, ring->count - 1)->time - seconds : 0;
    for (size_t i = ring->count; i-- && ring_at(ring, i)->time > from;)
        if (isfinite(ring_at(ring, i)->figures[figure])) {
            sum += ring_at(ring, i)->figures[figure];
            count++;
        }
    pthread_mutex_unlock(&history->mutex);
    return count > 0 ? sum / count : NAN;
}

void history_print(ServeHistory *history, HistorySpan span, Buffer *out) {
    pthread_mutex_lock(&history->mutex);
    const Ring *ring = &history->rings[span];
    buffer_format(out, "{\"span\":\"%s\",\"step_s\":%d,\"time\":[", spans[span].name, spans[span].step_s);
    for (size_t i = 0; i < ring->count; i++)
        buffer_format(out, "%s%.0f", i ? "," : "", ring_at(ring, i)->time);
    for (size_t figure = 0; figure < FIGURE_COUNT; figure++) {
        buffer_format(out, "],\"%s\":[", figures[figure].name);
        for (size_t i = 0; i < ring->count; i++) {
            if (i)
                buffer_add_char(out, ',');
            add_number(out, ring_at(ring, i)->figures[figure]);
        }
    }
    buffer_add_text(out, "]}");
    pthread_mutex_unlock(&history->mutex);
}

bool history_span(const char *text, HistorySpan *ret_span) {
    for (size_t i = 0; i < HISTORY_SPANS; i++)
        if (strcmp(text, spans[i].name) == 0) {
            *ret_span = (HistorySpan)i;
            return true;
        }
    return false;
}
