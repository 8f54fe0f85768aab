// SPDX-License-Identifier: Apache-2.0
// Files of two kinds, and of two forms of one kind.
#include "check.h"

#include <unistd.h>

#include "measure/store.h"

static const char *const steps[] = {"CREATE TABLE word (text TEXT NOT NULL) STRICT;",
                                    "ALTER TABLE word ADD COLUMN length INTEGER NOT NULL DEFAULT 3;"};
static const StoreKind first = {"list of words", "write another", 77, steps, 1},
                       second = {"list of words", "write another", 77, steps, 2},
                       other = {"list of names", "write another", 78, steps, 1};

static char path[64];

static void path_make(void) {
    snprintf(path, sizeof path, "/tmp/hone-store-XXXXXX");
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    close(file);
}

static Status add(Store *store, const void *context, Error *err) {
    StoreQuery query = store_query(store, "INSERT INTO word (text) VALUES (?)");
    store_query_text(&query, context);
    return store_query_run(&query, err);
}

static Status add_and_fail(Store *store, const void *context, Error *err) {
    TRY(add(store, context, err));
    return FAIL(err, ERR_LIMIT, "enough words");
}

static int64_t number(Store *store, const char *sql) {
    Error err;
    StoreQuery query = store_query(store, sql);
    bool row = false;
    CHECK_OK(store_query_next(&query, &row, &err));
    ck_assert(row);
    int64_t found = sqlite3_column_int64(query.statement, 0);
    CHECK_OK(store_query_next(&query, &row, &err));
    ck_assert(!row);
    store_query_done(&query);
    return found;
}

START_TEST(older_forms_are_brought_up_to_date) {
    Error err;
    Store store = {0};
    path_make();
    CHECK_OK(store_open(&first, path, STORE_READ, &store, &err));
    ck_assert_int_eq(store.form, 0);
    store_close(&store);
    CHECK_OK(store_open(&first, path, STORE_WRITE, &store, &err));
    ck_assert_int_eq(store.form, 1);
    CHECK_OK(store_transact(&store, add, "old", &err));
    store_close(&store);
    CHECK_OK(store_open(&second, path, STORE_READ, &store, &err));
    ck_assert_int_eq(store.form, 2);
    ck_assert_int_eq(number(&store, "SELECT length FROM word"), 3);
    store_close(&store);
    CHECK_FAILS(store_open(&first, path, STORE_READ, &store, &err), ERR_UNSUPPORTED,
                "has form 2, this hone knows forms up to 1; write another");
    CHECK_FAILS(store_open(&other, path, STORE_WRITE, &store, &err), ERR_FORMAT,
                "is a database of another program, no list of names of hone");
    unlink(path);
}
END_TEST

START_TEST(transactions_are_whole) {
    Error err;
    Store store = {0};
    path_make();
    CHECK_OK(store_open(&second, path, STORE_WRITE, &store, &err));
    CHECK_FAILS(store_transact(&store, add_and_fail, "one", &err), ERR_LIMIT, "enough words");
    CHECK_FAILS(store_transact(&store, add, NULL, &err), ERR_IO, "cannot be used: NOT NULL constraint failed");
    CHECK_OK(store_transact(&store, add, "two", &err));
    ck_assert_int_eq(number(&store, "SELECT count(*) FROM word"), 1);
    CHECK_FAILS(store_execute(&store, "SELECT missing", &err), ERR_IO, "no such column");
    StoreQuery bad = store_query(&store, "SELECT length FROM word WHERE text = ?");
    store_query_text(&bad, "two");
    store_query_int(&bad, 1); // one parameter too many
    bool row;
    CHECK_FAILS(store_query_next(&bad, &row, &err), ERR_IO, "cannot be used");
    store_query_done(&bad);
    store_close(&store);
    unlink(path);
}
END_TEST

TEST_MAIN("measure/store", older_forms_are_brought_up_to_date, transactions_are_whole)
