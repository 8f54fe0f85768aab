// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cache.h"
#include "base/file.h"
#include "measure/history.h"
#include "measure/model_mark.h"

static char folder[64];

static char *path_in(Arena *arena, const char *name) {
    Error err;
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/tmp/hone-history-XXXXXX");
        ck_assert(mkdtemp(folder));
    }
    char *path = path_join(arena, folder, name, &err);
    ck_assert(path);
    return path;
}

static void folder_remove(void) {
    char command[96];
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    char **names;
    size_t count;
    CHECK_OK(folder_list(&arena, folder, &names, &count, &err));
    for (size_t i = 0; i < count; i++) {
        snprintf(command, sizeof command, "%s/%s", folder, names[i]);
        unlink(command);
    }
    rmdir(folder);
    arena_done(&arena);
    folder[0] = '\0';
}

static HistoryEntry entry_make(const char *model, double ms) {
    return (HistoryEntry){.time = "2026-11-22T12:00:00Z",
                          .version = "0.1.0",
                          .revision = "abc1234",
                          .machine = {"a processor", 2, "Linux x86_64"},
                          .model = model,
                          .model_path = "/models/m",
                          .model_mark = "0123456789abcdef",
                          .level = "ref",
                          .threads = 2,
                          .batch = 32,
                          .beams = 4,
                          .ms_per_sample = ms,
                          .settings = "{\"new_tokens\":40}",
                          .report = "{\"ms_per_sample\":1.5}",
                          .times_ms = "[1.25,1.75]"};
}

typedef struct Seen {
    size_t count;
    double last, sum;
    char model[32], times[32], system[32];
} Seen;

static Status see(void *context, const HistoryEntry *entry, Error *err) {
    (void)err;
    Seen *seen = context;
    seen->count++;
    seen->last = entry->ms_per_sample;
    seen->sum += entry->ms_per_sample;
    snprintf(seen->model, sizeof seen->model, "%s", entry->model);
    snprintf(seen->times, sizeof seen->times, "%s", entry->times_ms);
    snprintf(seen->system, sizeof seen->system, "%s", entry->machine.system);
    ck_assert(entry->threads == 2 && entry->batch == 32 && entry->beams == 4 && entry->machine.cores == 2);
    return OK;
}

static Seen list(const char *path, const char *model, size_t limit) {
    Error err;
    History *history;
    Seen seen = {0};
    CHECK_OK(history_open_reading(path, &history, &err));
    CHECK_OK(history_list(history, &(HistoryFilter){model, limit}, see, &seen, &err));
    history_close(history);
    return seen;
}

static void add(const char *path, const char *model, double ms) {
    Error err;
    History *history;
    HistoryEntry entry = entry_make(model, ms);
    CHECK_OK(history_open(path, &history, &err));
    CHECK_OK(history_add(history, &entry, &err));
    history_close(history);
}

START_TEST(entries_come_back) {
    Arena arena;
    arena_init(&arena, 0);
    const char *path = path_in(&arena, "h.sqlite");
    add(path, "one", 1);
    add(path, "two", 2);
    add(path, "one", 3);
    Seen all = list(path, NULL, 0), ones = list(path, "one", 0), newest = list(path, NULL, 2),
         by_path = list(path, "/models/m", 0), none = list(path, "three", 0);
    ck_assert(all.count == 3 && all.last == 3);
    ck_assert_str_eq(all.model, "one");
    ck_assert_str_eq(all.times, "[1.25,1.75]");
    ck_assert_str_eq(all.system, "Linux x86_64");
    ck_assert(ones.count == 2 && ones.sum == 4);
    ck_assert(newest.count == 2 && newest.sum == 5 && newest.last == 3);
    ck_assert(by_path.count == 3 && none.count == 0);
    folder_remove();
    arena_done(&arena);
}
END_TEST

// An entry that breaks a rule of the tables leaves nothing behind.
START_TEST(whole_or_nothing) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    const char *path = path_in(&arena, "h.sqlite");
    add(path, "one", 1);
    History *history;
    HistoryEntry bad = entry_make("two", 2);
    bad.times_ms = "[1.25,";
    bad.machine.name = "another";
    CHECK_OK(history_open(path, &history, &err));
    CHECK_FAILS(history_add(history, &bad, &err), ERR_IO, "cannot be used: CHECK constraint failed");
    HistoryEntry good = entry_make("three", 3);
    CHECK_OK(history_add(history, &good, &err));
    history_close(history);
    ck_assert_uint_eq(list(path, NULL, 0).count, 2);
    sqlite3 *db;
    sqlite3_stmt *rows;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT count(*) FROM machine", -1, &rows, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(rows), SQLITE_ROW);
    ck_assert_int_eq(sqlite3_column_int(rows, 0), 1);
    sqlite3_finalize(rows);
    sqlite3_close(db);
    folder_remove();
    arena_done(&arena);
}
END_TEST

// Processes that begin the file and add to it at once lose nothing.
START_TEST(many_at_once) {
    enum { PROCESSES = 4, EACH = 10 };
    Arena arena;
    arena_init(&arena, 0);
    const char *path = path_in(&arena, "h.sqlite");
    pid_t children[PROCESSES];
    for (int p = 0; p < PROCESSES; p++) {
        children[p] = fork();
        ck_assert_int_ge(children[p], 0);
        if (children[p] == 0) {
            int bad = 0;
            for (int i = 0; i < EACH; i++) {
                Error err;
                History *history = NULL;
                HistoryEntry entry = entry_make("m", p * EACH + i);
                bad |= history_open(path, &history, &err) != OK || history_add(history, &entry, &err) != OK;
                history_close(history);
            }
            _exit(bad);
        }
    }
    for (int p = 0; p < PROCESSES; p++) {
        int status;
        ck_assert_int_eq(waitpid(children[p], &status, 0), children[p]);
        ck_assert_int_eq(status, 0);
    }
    Seen seen = list(path, NULL, 0);
    ck_assert_uint_eq(seen.count, PROCESSES * EACH);
    ck_assert_double_eq(seen.sum, 39 * 40 / 2);
    folder_remove();
    arena_done(&arena);
}
END_TEST

START_TEST(foreign_and_damaged_files) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    History *history = NULL;
    const char *path = path_in(&arena, "text");
    CHECK_OK(file_replace(path,
                          "this is no database at all, but long enough to look at: "
                          "----------------------------------------------------",
                          100, &err));
    CHECK_FAILS(history_open(path, &history, &err), ERR_FORMAT, "is damaged or no history");
    CHECK_FAILS(history_open_reading(path, &history, &err), ERR_FORMAT, "move it away, and a new one is begun");
    // a good file of which a page is overwritten
    path = path_in(&arena, "torn");
    for (int i = 0; i < 40; i++)
        add(path, "m", i);
    Bytes bytes;
    CHECK_OK(file_map(&arena, path, &bytes, &err));
    unsigned char *copy = arena_alloc(&arena, bytes.size, 1, &err);
    memcpy(copy, bytes.data, bytes.size);
    for (size_t i = 4096; i < bytes.size; i++)
        copy[i] = (unsigned char)(i * 37);
    CHECK_OK(file_replace(path, copy, bytes.size, &err));
    Status status = history_open_reading(path, &history, &err);
    if (status == OK) {
        Seen seen = {0};
        status = history_list(history, &(HistoryFilter){0}, see, &seen, &err);
        history_close(history);
    }
    ck_assert_msg(status == ERR_FORMAT, "%s: %s", status_name(status), err.message);
    // cut short
    CHECK_OK(file_replace(path, copy, 1000, &err));
    CHECK_FAILS(history_open(path, &history, &err), ERR_FORMAT, "damaged");
    folder_remove();
    arena_done(&arena);
}
END_TEST

static void execute(const char *path, const char *sql) {
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

START_TEST(other_databases) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    History *history = NULL;
    const char *foreign = path_in(&arena, "foreign"), *newer = path_in(&arena, "newer"),
               *empty = path_in(&arena, "empty");
    execute(foreign, "CREATE TABLE measurement (x)");
    CHECK_FAILS(history_open(foreign, &history, &err), ERR_FORMAT,
                "is a database of another program, no history of hone");
    add(newer, "m", 1);
    execute(newer, "PRAGMA user_version = 9");
    CHECK_FAILS(history_open(newer, &history, &err), ERR_UNSUPPORTED, "has form 9, this hone knows forms up to 1");
    CHECK_OK(file_replace(empty, "", 0, &err));
    CHECK_FAILS(history_open_reading(empty, &history, &err), ERR_FORMAT, "holds nothing yet");
    add(empty, "m", 2);
    ck_assert_uint_eq(list(empty, NULL, 0).count, 1);
    CHECK_FAILS(history_open(path_in(&arena, "none/h"), &history, &err), ERR_IO, "unable to open database file");
    CHECK_FAILS(history_open_reading(path_in(&arena, "missing"), &history, &err), ERR_IO, "unable to open");
    folder_remove();
    arena_done(&arena);
}
END_TEST

START_TEST(caches) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    char *path, *base = path_in(&arena, "");
    char cache[96];
    snprintf(cache, sizeof cache, "%sdeep/er", base);
    setenv("XDG_CACHE_HOME", cache, 1);
    CHECK_OK(cache_path(&arena, "history.sqlite", &path, &err));
    ck_assert(strstr(path, "/deep/er/hone/history.sqlite"));
    ck_assert(path_kind(cache) == PATH_FOLDER);
    add(path, "m", 1);
    unlink(path);
    setenv("XDG_CACHE_HOME", "relative", 1);
    setenv("HOME", cache, 1);
    CHECK_OK(cache_path(&arena, "x", &path, &err));
    ck_assert(strstr(path, "/deep/er/.cache/hone/x"));
    unsetenv("XDG_CACHE_HOME");
    setenv("HOME", "", 1);
    CHECK_FAILS(cache_path(&arena, "x", &path, &err), ERR_IO, "neither XDG_CACHE_HOME nor HOME names a folder");
    setenv("XDG_CACHE_HOME", "/proc/1/none", 1);
    CHECK_FAILS(cache_path(&arena, "x", &path, &err), ERR_IO, "folder '/proc/1/none' cannot be made");
    arena_done(&arena);
}
END_TEST

START_TEST(marks) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    char a[MODEL_MARK_BYTES], b[MODEL_MARK_BYTES];
    CHECK_OK(file_replace(path_in(&arena, "config.json"), "{}", 2, &err));
    CHECK_OK(file_replace(path_in(&arena, "model.bin"), "weights", 7, &err));
    CHECK_OK(model_mark(&arena, folder, a, &err));
    ck_assert_uint_eq(strspn(a, "0123456789abcdef"), 16);
    CHECK_OK(model_mark(&arena, folder, b, &err));
    ck_assert_str_eq(a, b);
    CHECK_OK(file_replace(path_in(&arena, "model.bin"), "weighty", 7, &err));
    CHECK_OK(model_mark(&arena, folder, b, &err));
    ck_assert_str_ne(a, b);
    CHECK_OK(model_mark(&arena, path_in(&arena, "model.bin"), a, &err));
    ck_assert_str_ne(a, b);
    CHECK_FAILS(model_mark(&arena, path_in(&arena, "absent"), a, &err), ERR_IO, "absent");
    folder_remove();
    arena_done(&arena);
}
END_TEST

// A mark looks at both ends of a file, a digest at all of it.
START_TEST(digests) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    char mark[2][MODEL_MARK_BYTES], digest[2][SHA256_TEXT_BYTES];
    char *large = arena_array(&arena, 1 << 18, 1, &err);
    for (size_t i = 0; i < 2; i++) {
        large[1 << 17] = (char)i;
        CHECK_OK(file_replace(path_in(&arena, "model.bin"), large, 1 << 18, &err));
        CHECK_OK(model_mark(&arena, folder, mark[i], &err));
        CHECK_OK(model_digest(&arena, folder, digest[i], &err));
    }
    ck_assert_str_eq(mark[0], mark[1]);
    ck_assert_str_ne(digest[0], digest[1]);
    CHECK_OK(model_digest(&arena, folder, digest[0], &err));
    ck_assert_str_eq(digest[0], digest[1]);
    CHECK_FAILS(model_digest(&arena, path_in(&arena, "absent"), digest[0], &err), ERR_IO, "absent");
    folder_remove();
    arena_done(&arena);
}
END_TEST

TEST_MAIN("measure/history", entries_come_back, whole_or_nothing, many_at_once, foreign_and_damaged_files,
          other_databases, caches, marks, digests)
