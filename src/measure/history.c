// SPDX-License-Identifier: Apache-2.0
// The history's tables and the few statements over them.
#include "measure/history.h"

#include "base/memory.h"
#include "measure/store.h"

static const char *const migrations[] = {
    "CREATE TABLE machine ("
    "  id INTEGER PRIMARY KEY, name TEXT NOT NULL, cores INTEGER NOT NULL, system TEXT NOT NULL,"
    "  UNIQUE (name, cores, system)) STRICT;"
    "CREATE TABLE measurement ("
    "  id INTEGER PRIMARY KEY,"
    "  time TEXT NOT NULL," // UTC, ISO 8601
    "  version TEXT NOT NULL, revision TEXT NOT NULL,"
    "  machine INTEGER NOT NULL REFERENCES machine (id),"
    "  model TEXT NOT NULL, model_path TEXT NOT NULL, model_mark TEXT NOT NULL,"
    "  level TEXT NOT NULL, threads INTEGER NOT NULL, batch INTEGER NOT NULL, beams INTEGER NOT NULL,"
    "  ms_per_sample REAL NOT NULL,"
    "  settings TEXT NOT NULL CHECK (json_valid(settings)),"
    "  report TEXT NOT NULL CHECK (json_valid(report)),"
    "  times_ms TEXT NOT NULL CHECK (json_valid(times_ms))) STRICT;"
    "CREATE INDEX measurement_by_work ON measurement (model_mark, level, threads, batch, beams, time);",
};
static const StoreKind kind = {.noun = "history",
                               .remedy = "move it away, and a new one is begun",
                               .application_id = 0x686f6e65, // "hone"
                               .migrations = migrations,
                               .forms = sizeof migrations / sizeof *migrations};

struct History {
    Store store;
};

static Status open_as(const char *path, StoreUse use, History **ret_history, Error *err) {
    History *history = memory_new(1, sizeof *history, err);
    TRY_NEW(history);
    *history = (History){0};
    Status status = store_open(&kind, path, use, &history->store, err);
    if (status == OK && use == STORE_WRITE)
        status = store_execute(&history->store, "PRAGMA foreign_keys = ON", err);
    if (status == OK && !history->store.form)
        status = FAIL(err, ERR_FORMAT, "history '%s' holds nothing yet", path);
    if (status != OK) {
        history_close(history);
        return status;
    }
    *ret_history = history;
    return OK;
}

Status history_open(const char *path, History **ret_history, Error *err) {
    return open_as(path, STORE_WRITE, ret_history, err);
}

Status history_open_reading(const char *path, History **ret_history, Error *err) {
    return open_as(path, STORE_READ, ret_history, err);
}

void history_close(History *history) {
    if (!history)
        return;
    store_close(&history->store);
    memory_free(history);
}

static Status add_work(Store *store, const void *context, Error *err) {
    const HistoryEntry *e = context;
    StoreQuery machine = store_query(store, "INSERT OR IGNORE INTO machine (name, cores, system) VALUES (?, ?, ?)");
    store_query_text(&machine, e->machine.name);
    store_query_int(&machine, e->machine.cores);
    store_query_text(&machine, e->machine.system);
    TRY(store_query_run(&machine, err));
    StoreQuery query = store_query(
        store, "INSERT INTO measurement (machine, time, version, revision, model, model_path, model_mark, level,"
               " settings, report, times_ms, threads, batch, beams, ms_per_sample)"
               " SELECT id, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17"
               " FROM machine WHERE name = ?1 AND system = ?2 AND cores = ?3");
    store_query_text(&query, e->machine.name);
    store_query_text(&query, e->machine.system);
    store_query_int(&query, e->machine.cores);
    const char *const texts[] = {e->time,       e->version, e->revision, e->model,  e->model_path,
                                 e->model_mark, e->level,   e->settings, e->report, e->times_ms};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        store_query_text(&query, texts[i]);
    store_query_int(&query, e->threads);
    store_query_int(&query, e->batch);
    store_query_int(&query, e->beams);
    store_query_real(&query, e->ms_per_sample);
    return store_query_run(&query, err);
}

Status history_add(History *history, const HistoryEntry *entry, Error *err) {
    return store_transact(&history->store, add_work, entry, err);
}

static HistoryEntry entry_of(sqlite3_stmt *row) {
    const char *texts[12];
    for (int i = 0; i < 12; i++)
        texts[i] = (const char *)sqlite3_column_text(row, i);
    return (HistoryEntry){
        .time = texts[0],
        .version = texts[1],
        .revision = texts[2],
        .model = texts[3],
        .model_path = texts[4],
        .model_mark = texts[5],
        .level = texts[6],
        .settings = texts[7],
        .report = texts[8],
        .times_ms = texts[9],
        .machine = {.name = texts[10], .system = texts[11], .cores = sqlite3_column_int(row, 12)},
        .threads = sqlite3_column_int(row, 13),
        .batch = sqlite3_column_int64(row, 14),
        .beams = sqlite3_column_int64(row, 15),
        .ms_per_sample = sqlite3_column_double(row, 16),
        .id = sqlite3_column_int64(row, 17),
    };
}

static Status entry_check(const History *history, const HistoryEntry *e, Error *err) {
    const char *const texts[] = {e->time,  e->version,  e->revision, e->model,    e->model_path,   e->model_mark,
                                 e->level, e->settings, e->report,   e->times_ms, e->machine.name, e->machine.system};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!texts[i])
            return FAIL(err, ERR_FORMAT, "history '%s' is damaged: measurement %lld lacks a value", history->store.path,
                        (long long)e->id);
    return OK;
}

Status history_list(History *history, const HistoryFilter *filter,
                    Status (*on_entry)(void *context, const HistoryEntry *entry, Error *err), void *context,
                    Error *err) {
    StoreQuery query = store_query(
        &history->store,
        "SELECT * FROM (SELECT time, version, revision, model, model_path, model_mark, level, settings, report,"
        " times_ms, name, system, cores, threads, batch, beams, ms_per_sample, measurement.id AS id"
        " FROM measurement JOIN machine ON machine.id = measurement.machine"
        " WHERE ?1 IS NULL OR model = ?1 OR model_path = ?1 ORDER BY measurement.id DESC LIMIT ?2) ORDER BY id");
    store_query_text(&query, filter->model);
    store_query_int(&query, filter->limit ? (int64_t)filter->limit : -1);
    bool row = false;
    Status status = store_query_next(&query, &row, err);
    while (status == OK && row) {
        HistoryEntry entry = entry_of(query.statement);
        status = entry_check(history, &entry, err);
        if (status == OK)
            status = on_entry(context, &entry, err);
        if (status == OK)
            status = store_query_next(&query, &row, err);
    }
    store_query_done(&query);
    return status;
}
