// SPDX-License-Identifier: Apache-2.0
// The history's tables and the few statements over them. PRAGMA user_version says how many of `migrations` a file has
// seen, application_id that it is ours.
#include "measure/history.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

enum { APPLICATION_ID = 0x686f6e65, BUSY_MS = 5000 }; // "hone"

// Migration i brings a file from version i to i + 1. A published one never changes.
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
enum { VERSION = sizeof migrations / sizeof *migrations };

struct History {
    sqlite3 *db;
    char path[1024]; // for messages
};

// The last failure of the database as a sentence.
static Status failed(const History *history, Error *err) {
    int code = sqlite3_errcode(history->db) & 0xFF;
    const char *path = history->path;
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
        return FAIL(err, ERR_FORMAT, "history '%s' is damaged or no history: %s; move it away, and a new one is begun",
                    path, sqlite3_errmsg(history->db));
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return FAIL(err, ERR_IO, "history '%s' is in use by another process, for more than %d seconds", path,
                    BUSY_MS / 1000);
    if (code == SQLITE_NOMEM)
        return FAIL(err, ERR_MEMORY, "no memory to read history '%s'", path);
    return FAIL(err, ERR_IO, "history '%s' cannot be used: %s", path, sqlite3_errmsg(history->db));
}

static Status execute(History *history, const char *sql, Error *err) {
    return sqlite3_exec(history->db, sql, NULL, NULL, NULL) == SQLITE_OK ? OK : failed(history, err);
}

static Status number_get(History *history, const char *sql, int64_t *ret, Error *err) {
    sqlite3_stmt *statement = NULL;
    bool good = sqlite3_prepare_v2(history->db, sql, -1, &statement, NULL) == SQLITE_OK &&
                sqlite3_step(statement) == SQLITE_ROW;
    Status status = OK;
    if (good)
        *ret = sqlite3_column_int64(statement, 0);
    else
        status = failed(history, err);
    sqlite3_finalize(statement);
    return status;
}

// How many migrations the file has seen; 0 for an empty file.
static Status version_get(History *history, int64_t *ret_version, Error *err) {
    int64_t version = 0, application = 0, tables = 0;
    TRY(number_get(history, "PRAGMA user_version", &version, err));
    TRY(number_get(history, "PRAGMA application_id", &application, err));
    TRY(number_get(history, "SELECT count(*) FROM sqlite_schema", &tables, err));
    if (tables && application != APPLICATION_ID)
        return FAIL(err, ERR_FORMAT, "file '%s' is a database of another program, no history of hone", history->path);
    if (version > VERSION || version < 0)
        return FAIL(err, ERR_UNSUPPORTED, "history '%s' has form %lld, this hone knows forms up to %d", history->path,
                    (long long)version, VERSION);
    *ret_version = tables ? version : 0;
    return OK;
}

static Status migrate(History *history, Error *err) {
    int64_t version = 0;
    TRY(version_get(history, &version, err));
    if (version == VERSION)
        return OK;
    TRY(version_get(history, &version, err));
    char last[96];
    snprintf(last, sizeof last, "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID, VERSION);
    for (; version < VERSION; version++)
        TRY(execute(history, migrations[version], err));
    return execute(history, last, err);
}

// Runs `work` in one transaction: all of it or nothing.
static Status transact(History *history, Status (*work)(History *, const void *, Error *), const void *context,
                       Error *err) {
    TRY(execute(history, "BEGIN IMMEDIATE", err));
    Status status = work(history, context, err);
    if (status == OK)
        status = execute(history, "COMMIT", err);
    if (status != OK)
        sqlite3_exec(history->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

static Status migrate_work(History *history, const void *context, Error *err) {
    (void)context;
    return migrate(history, err);
}

static Status prepare_writing(History *history, Error *err) {
    TRY(execute(history, "PRAGMA foreign_keys = ON", err));
    int64_t version = 0;
    TRY(version_get(history, &version, err));
    return version == VERSION ? OK : transact(history, migrate_work, NULL, err);
}

static Status prepare_reading(History *history, Error *err) {
    int64_t version = 0;
    TRY(version_get(history, &version, err));
    if (version != VERSION)
        return FAIL(err, ERR_FORMAT, "history '%s' holds nothing yet", history->path);
    return OK;
}

static Status open_as(const char *path, int flags, Status (*prepare)(History *, Error *), History **ret_history,
                      Error *err) {
    History *history = memory_new(1, sizeof *history, err);
    TRY_NEW(history);
    *history = (History){0};
    snprintf(history->path, sizeof history->path, "%s", path);
    Status status = OK;
    if (sqlite3_open_v2(path, &history->db, flags, NULL) != SQLITE_OK) {
        status = history->db ? failed(history, err) : FAIL(err, ERR_MEMORY, "no memory to open history '%s'", path);
    } else {
        sqlite3_busy_timeout(history->db, BUSY_MS);
        status = prepare(history, err);
    }
    if (status != OK) {
        history_close(history);
        return status;
    }
    *ret_history = history;
    return OK;
}

Status history_open(const char *path, History **ret_history, Error *err) {
    return open_as(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, prepare_writing, ret_history, err);
}

Status history_open_reading(const char *path, History **ret_history, Error *err) {
    return open_as(path, SQLITE_OPEN_READONLY, prepare_reading, ret_history, err);
}

void history_close(History *history) {
    if (!history)
        return;
    sqlite3_close(history->db);
    memory_free(history);
}

// A statement whose parameters are bound in order, texts and numbers.
typedef struct Query {
    History *history;
    sqlite3_stmt *statement;
    int bound;
    bool good;
} Query;

static Query query_begin(History *history, const char *sql) {
    Query query = {.history = history};
    query.good = sqlite3_prepare_v2(history->db, sql, -1, &query.statement, NULL) == SQLITE_OK;
    return query;
}

static void query_text(Query *query, const char *text) {
    query->good &=
        query->good && sqlite3_bind_text(query->statement, ++query->bound, text, -1, SQLITE_TRANSIENT) == SQLITE_OK;
}

static void query_int(Query *query, int64_t number) {
    query->good &= query->good && sqlite3_bind_int64(query->statement, ++query->bound, number) == SQLITE_OK;
}

static Status query_run(Query *query, Error *err) {
    Status status = query->good && sqlite3_step(query->statement) == SQLITE_DONE ? OK : failed(query->history, err);
    sqlite3_finalize(query->statement);
    return status;
}

static Status add_work(History *history, const void *context, Error *err) {
    const HistoryEntry *e = context;
    Query machine = query_begin(history, "INSERT OR IGNORE INTO machine (name, cores, system) VALUES (?, ?, ?)");
    query_text(&machine, e->machine.name);
    query_int(&machine, e->machine.cores);
    query_text(&machine, e->machine.system);
    TRY(query_run(&machine, err));
    Query query = query_begin(
        history, "INSERT INTO measurement (machine, time, version, revision, model, model_path, model_mark, level,"
                 " settings, report, times_ms, threads, batch, beams, ms_per_sample)"
                 " SELECT id, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17"
                 " FROM machine WHERE name = ?1 AND system = ?2 AND cores = ?3");
    query_text(&query, e->machine.name);
    query_text(&query, e->machine.system);
    query_int(&query, e->machine.cores);
    const char *const texts[] = {e->time,       e->version, e->revision, e->model,  e->model_path,
                                 e->model_mark, e->level,   e->settings, e->report, e->times_ms};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        query_text(&query, texts[i]);
    query_int(&query, e->threads);
    query_int(&query, e->batch);
    query_int(&query, e->beams);
    query.good &= query.good && sqlite3_bind_double(query.statement, ++query.bound, e->ms_per_sample) == SQLITE_OK;
    return query_run(&query, err);
}

Status history_add(History *history, const HistoryEntry *entry, Error *err) {
    return transact(history, add_work, entry, err);
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
            return FAIL(err, ERR_FORMAT, "history '%s' is damaged: measurement %lld lacks a value", history->path,
                        (long long)e->id);
    return OK;
}

Status history_list(History *history, const HistoryFilter *filter,
                    Status (*on_entry)(void *context, const HistoryEntry *entry, Error *err), void *context,
                    Error *err) {
    Query query = query_begin(
        history,
        "SELECT * FROM (SELECT time, version, revision, model, model_path, model_mark, level, settings, report,"
        " times_ms, name, system, cores, threads, batch, beams, ms_per_sample, measurement.id AS id"
        " FROM measurement JOIN machine ON machine.id = measurement.machine"
        " WHERE ?1 IS NULL OR model = ?1 OR model_path = ?1 ORDER BY measurement.id DESC LIMIT ?2) ORDER BY id");
    query_text(&query, filter->model);
    query_int(&query, filter->limit ? (int64_t)filter->limit : -1);
    int code = query.good ? SQLITE_ROW : SQLITE_ERROR;
    Status status = OK;
    while (status == OK && query.good && (code = sqlite3_step(query.statement)) == SQLITE_ROW) {
        HistoryEntry entry = entry_of(query.statement);
        status = entry_check(history, &entry, err);
        if (status == OK)
            status = on_entry(context, &entry, err);
    }
    if (status == OK && code != SQLITE_DONE)
        status = failed(history, err);
    sqlite3_finalize(query.statement);
    return status;
}
