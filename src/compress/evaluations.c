// SPDX-License-Identifier: Apache-2.0
// One table of values by kind and key.
#include "compress/evaluations.h"

#include "base/memory.h"
#include "measure/store.h"

static const char *const migrations[] = {
    "CREATE TABLE evaluation (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, key))"
    " STRICT;",
};

static const char remedy[] = "delete it or give another --cache";

static const StoreKind store_kind = {.noun = "cache of evaluations",
                                     .remedy = remedy,
                                     .application_id = 0x686f6e76, // "honv"
                                     .migrations = migrations,
                                     .forms = sizeof migrations / sizeof *migrations};

// The text of a value, checked: a damaged page may well be a valid one of the database.
static Status value_parse(const Store *store, sqlite3_stmt *row, const char *kind, Arena *arena, json_t **ret_value,
                          Error *err) {
    Bytes text = {.data = sqlite3_column_text(row, 0)};
    text.size = (size_t)sqlite3_column_bytes(row, 0);
    if (!text.data && sqlite3_errcode(store->db) == SQLITE_NOMEM)
        return store_failed(store, err);
    char *name = arena_format(arena, err, "value of kind '%s'", kind);
    TRY_NEW(name);
    Error cause;
    Status status = json_parse(arena, name, text, true, ret_value, &cause);
    if (status == ERR_FORMAT)
        return FAIL(err, ERR_FORMAT, "cache of evaluations '%s' is damaged: %s; %s", store->path, cause.message,
                    remedy);
    if (status != OK)
        *err = cause;
    return status;
}

static Status find(Store *store, const char *kind, const char *key, Arena *arena, json_t **ret_value, Error *err) {
    StoreQuery query = store_query(store, "SELECT value FROM evaluation WHERE kind = ? AND key = ?");
    store_query_text(&query, kind);
    store_query_text(&query, key);
    bool row = false;
    json_t *value = NULL;
    Status status = store_query_next(&query, &row, err);
    if (status == OK && row)
        status = value_parse(store, query.statement, kind, arena, &value, err);
    store_query_done(&query);
    TRY(status);
    *ret_value = value;
    return OK;
}

Status evaluations_find(const Evaluations *evaluations, Arena *arena, const char *kind, const char *key,
                        json_t **ret_value, Error *err) {
    if (!evaluations->path || path_kind(evaluations->path) == PATH_NONE) {
        *ret_value = NULL;
        return OK;
    }
    Store store;
    json_t *value = NULL;
    TRY(store_open(&store_kind, evaluations->path, STORE_READ, &store, err));
    Status status = store.form ? find(&store, kind, key, arena, &value, err) : OK;
    store_close(&store);
    TRY(status);
    *ret_value = value;
    return OK;
}

typedef struct Entry {
    const char *kind, *key, *value;
} Entry;

static Status put(Store *store, const void *context, Error *err) {
    const Entry *entry = context;
    StoreQuery query = store_query(store, "INSERT OR REPLACE INTO evaluation (kind, key, value) VALUES (?, ?, ?)");
    store_query_text(&query, entry->kind);
    store_query_text(&query, entry->key);
    store_query_text(&query, entry->value);
    return store_query_run(&query, err);
}

// Into memory of our own: where json_dumps grows its own and cannot, it may leave out a key and go on.
static Status value_print(const json_t *value, char **ret_text, Error *err) {
    size_t flags = JSON_COMPACT | JSON_ENCODE_ANY, bytes = json_dumpb(value, NULL, 0, flags);
    char *text = bytes ? memory_new(bytes + 1, 1, err) : NULL;
    if (!bytes || (text && json_dumpb(value, text, bytes, flags) != bytes)) {
        memory_free(text);
        return FAIL(err, ERR_MEMORY, "no memory for a value to be kept");
    }
    TRY_NEW(text);
    text[bytes] = '\0';
    *ret_text = text;
    return OK;
}

Status evaluations_put(const Evaluations *evaluations, const char *kind, const char *key, const json_t *value,
                       Error *err) {
    if (!evaluations->path)
        return OK;
    char *text = NULL;
    TRY(value_print(value, &text, err));
    Store store;
    Status status = store_open(&store_kind, evaluations->path, STORE_WRITE, &store, err);
    if (status == OK) {
        status = store_transact(&store, put, &(Entry){kind, key, text}, err);
        store_close(&store);
    }
    memory_free(text);
    return status;
}
