// SPDX-License-Identifier: Apache-2.0
// Stores: SQLite files of hone's own, each of one kind: which tables it has, and what its user is told when it cannot
// be used.
//
//     TRY(store_open(&history_kind, path, STORE_WRITE, &store, err));
//     Status status = store_transact(&store, add, &entry, err);
//     store_close(&store);
//
// A file of an older form is brought up to date when it is opened, one of a newer form refused. Several processes may
// use a file at once: one waits for the other, five seconds at most. Do not fork with one open.
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

// What tells files of one kind. PRAGMA user_version of a file says how many of `migrations` it has seen, application_id
// that it is of this kind.
typedef struct StoreKind {
    const char *noun;   // "history"
    const char *remedy; // what its user can do about a damaged one: "move it away, and a new one is begun"
    int application_id;
    const char *const *migrations; // [forms]; i brings a file from form i to i + 1. A published one never changes.
    int forms;
} StoreKind;

typedef struct Store {
    const StoreKind *kind;
    sqlite3 *db;
    int64_t form;    // of the file: kind->forms, or 0 where a file opened for reading holds nothing yet
    char path[1024]; // for messages
} Store;

// STORE_WRITE creates the file where there is none (its folder must exist).
typedef enum StoreUse { STORE_READ, STORE_WRITE } StoreUse;

// ERR_IO when the file cannot be opened or written, ERR_FORMAT when it is damaged or of another kind, ERR_UNSUPPORTED
// when a newer hone wrote it; nothing is open then.
MUST_CHECK Status store_open(const StoreKind *kind, const char *path, StoreUse use, Store *ret_store, Error *err);

// A store that was never opened ({0}) is fine.
void store_close(Store *store);

// The last failure of the database as a sentence.
Status store_failed(const Store *store, Error *err);

// Statements whose results nobody looks at.
MUST_CHECK Status store_execute(Store *store, const char *sql, Error *err);

// Runs `work` in one transaction that others wait for: all of it or nothing.
typedef Status StoreWork(Store *store, const void *context, Error *err);
MUST_CHECK Status store_transact(Store *store, StoreWork *work, const void *context, Error *err);

// A statement whose parameters are bound in order. What fails on the way is told by store_query_next.
typedef struct StoreQuery {
    Store *store;
    sqlite3_stmt *statement;
    int bound;
    bool good;
} StoreQuery;

StoreQuery store_query(Store *store, const char *sql);
void store_query_text(StoreQuery *query, const char *text); // NULL: NULL
void store_query_int(StoreQuery *query, int64_t number);
void store_query_real(StoreQuery *query, double number);

// Takes the next row, whose columns sqlite3_column_* of `statement` give; *ret_row is false behind the last one.
MUST_CHECK Status store_query_next(StoreQuery *query, bool *ret_row, Error *err);
void store_query_done(StoreQuery *query);

// For a statement without rows: runs it, and is done with it.
MUST_CHECK Status store_query_run(StoreQuery *query, Error *err);
