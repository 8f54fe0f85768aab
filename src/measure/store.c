// SPDX-License-Identifier: Apache-2.0
// Opening SQLite files of hone's own, transactions, and failures as sentences.
#include "measure/store.h"

#include <stdio.h>

enum { BUSY_MS = 5000 };

Status store_failed(const Store *store, Error *err) {
    int code = sqlite3_errcode(store->db) & 0xFF;
    const char *path = store->path, *noun = store->kind->noun;
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
        return FAIL(err, ERR_FORMAT, "%s '%s' is damaged or no %s: %s; %s", noun, path, noun, sqlite3_errmsg(store->db),
                    store->kind->remedy);
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return FAIL(err, ERR_IO, "%s '%s' is in use by another process, for more than %d seconds", noun, path,
                    BUSY_MS / 1000);
    if (code == SQLITE_NOMEM)
        return FAIL(err, ERR_MEMORY, "no memory to read %s '%s'", noun, path);
    return FAIL(err, ERR_IO, "%s '%s' cannot be used: %s", noun, path, sqlite3_errmsg(store->db));
}

Status store_execute(Store *store, const char *sql, Error *err) {
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? OK : store_failed(store, err);
}

Status store_transact(Store *store, StoreWork *work, const void *context, Error *err) {
    TRY(store_execute(store, "BEGIN IMMEDIATE", err));
    Status status = work(store, context, err);
    if (status == OK)
        status = store_execute(store, "COMMIT", err);
    if (status != OK)
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

StoreQuery store_query(Store *store, const char *sql) {
    StoreQuery query = {.store = store};
    query.good = sqlite3_prepare_v2(store->db, sql, -1, &query.statement, NULL) == SQLITE_OK;
    return query;
}

void store_query_text(StoreQuery *query, const char *text) {
    query->good &=
        query->good && sqlite3_bind_text(query->statement, ++query->bound, text, -1, SQLITE_TRANSIENT) == SQLITE_OK;
}

void store_query_int(StoreQuery *query, int64_t number) {
    query->good &= query->good && sqlite3_bind_int64(query->statement, ++query->bound, number) == SQLITE_OK;
}

void store_query_real(StoreQuery *query, double number) {
    query->good &= query->good && sqlite3_bind_double(query->statement, ++query->bound, number) == SQLITE_OK;
}

Status store_query_next(StoreQuery *query, bool *ret_row, Error *err) {
    int code = query->good ? sqlite3_step(query->statement) : SQLITE_ERROR;
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return store_failed(query->store, err);
    *ret_row = code == SQLITE_ROW;
    return OK;
}

void store_query_done(StoreQuery *query) {
    sqlite3_finalize(query->statement);
    query->statement = NULL;
}

Status store_query_run(StoreQuery *query, Error *err) {
    bool row;
    Status status = store_query_next(query, &row, err);
    store_query_done(query);
    return status;
}

// The form of the file, 0 for an empty one. One statement, so that all three are of one moment: another process may be
// making the tables.
static Status form_get(Store *store, Error *err) {
    StoreQuery query = store_query(store, "SELECT (SELECT count(*) FROM sqlite_schema),"
                                          " (SELECT application_id FROM pragma_application_id),"
                                          " (SELECT user_version FROM pragma_user_version)");
    bool row = false;
    Status status = store_query_next(&query, &row, err);
    int64_t tables = 0, application = 0, form = 0;
    if (status == OK) {
        tables = sqlite3_column_int64(query.statement, 0);
        application = sqlite3_column_int64(query.statement, 1);
        form = sqlite3_column_int64(query.statement, 2);
    }
    store_query_done(&query);
    TRY(status);
    const StoreKind *kind = store->kind;
    if (tables && application != kind->application_id)
        return FAIL(err, ERR_FORMAT, "file '%s' is a database of another program, no %s of hone", store->path,
                    kind->noun);
    if (form > kind->forms || form < 0)
        return FAIL(err, ERR_UNSUPPORTED, "%s '%s' has form %lld, this hone knows forms up to %d; %s", kind->noun,
                    store->path, (long long)form, kind->forms, kind->remedy);
    store->form = tables ? form : 0;
    return OK;
}

// Looks again, for another process may have been first.
static Status migrate(Store *store, const void *context, Error *err) {
    (void)context;
    TRY(form_get(store, err));
    const StoreKind *kind = store->kind;
    for (int64_t form = store->form; form < kind->forms; form++)
        TRY(store_execute(store, kind->migrations[form], err));
    char last[96];
    snprintf(last, sizeof last, "PRAGMA application_id = %d; PRAGMA user_version = %d", kind->application_id,
             kind->forms);
    return store_execute(store, last, err);
}

static Status prepare(Store *store, StoreUse use, Error *err) {
    sqlite3_busy_timeout(store->db, BUSY_MS);
    TRY(form_get(store, err));
    if (store->form == store->kind->forms || (store->form == 0 && use == STORE_READ))
        return OK;
    TRY(store_transact(store, migrate, NULL, err));
    store->form = store->kind->forms;
    return OK;
}

// Reading too opens for writing where it may: what a process left that was killed is rolled back.
Status store_open(const StoreKind *kind, const char *path, StoreUse use, Store *ret_store, Error *err) {
    Store store = {.kind = kind};
    snprintf(store.path, sizeof store.path, "%s", path);
    int flags = SQLITE_OPEN_READWRITE | (use == STORE_WRITE ? SQLITE_OPEN_CREATE : 0);
    Status status = OK;
    if (sqlite3_open_v2(path, &store.db, flags, NULL) == SQLITE_OK)
        status = prepare(&store, use, err);
    else if (store.db)
        status = store_failed(&store, err);
    else
        status = FAIL(err, ERR_MEMORY, "no memory to open %s '%s'", kind->noun, path);
    if (status != OK) {
        store_close(&store);
        return status;
    }
    *ret_store = store;
    return OK;
}

void store_close(Store *store) {
    sqlite3_close(store->db);
    store->db = NULL;
}
