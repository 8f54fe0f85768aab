// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "compress/evaluations.h"
#include "measure/history.h"

static char folder[64];

// A path in a folder that the first call makes.
static const char *path_in(Arena *arena, const char *name) {
    Error err;
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/tmp/hone-evaluations-XXXXXX");
        ck_assert(mkdtemp(folder));
    }
    char *path = path_join(arena, folder, name, &err);
    ck_assert(path);
    return path;
}

static void folder_remove(void) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    char **names;
    size_t count;
    CHECK_OK(folder_list(&arena, folder, &names, &count, &err));
    for (size_t i = 0; i < count; i++)
        unlink(path_in(&arena, names[i]));
    ck_assert_int_eq(rmdir(folder), 0);
    folder[0] = '\0';
    arena_done(&arena);
}

static void execute(const char *path, const char *sql) {
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static Status put(const char *path, const char *kind, const char *key, const char *value, Error *err) {
    Arena arena;
    arena_init(&arena, 0);
    json_t *parsed = NULL;
    Status status =
        json_parse(&arena, "value", (Bytes){(const unsigned char *)value, strlen(value)}, false, &parsed, err);
    if (status == OK)
        status = evaluations_put(&(Evaluations){path}, kind, key, parsed, err);
    arena_done(&arena);
    return status;
}

// The value is the one of this text, or with NULL there is none.
static void check_value(const json_t *found, const char *expected) {
    json_t *wanted = expected ? json_loads(expected, JSON_DECODE_ANY, NULL) : NULL;
    ck_assert_msg(found || !wanted, "nothing found, expected %s", expected);
    ck_assert(wanted ? json_equal(found, wanted) : !found);
    json_decref(wanted);
}

static Status find(const char *path, const char *kind, const char *key, const char *expected, Error *err) {
    Arena arena;
    arena_init(&arena, 0);
    json_t *found = NULL;
    Status status = evaluations_find(&(Evaluations){path}, &arena, kind, key, &found, err);
    if (status == OK)
        check_value(found, expected);
    arena_done(&arena);
    return status;
}

START_TEST(values_come_back) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    const char *path = path_in(&arena, "e.sqlite");
    static const char number[] = "0.1000000000000000055511151231257827";
    CHECK_OK(find(path, "quality", "a", NULL, &err));
    ck_assert_int_eq(path_kind(path), PATH_NONE); // looking makes no file
    CHECK_OK(put(path, "quality", "a", "{\"rouge1\":[0.5,null],\"text\":\"\\u00e9\\\"\"}", &err));
    CHECK_OK(put(path, "speed", "a", number, &err));
    CHECK_OK(put(path, "quality", "it's", "[]", &err));
    CHECK_OK(find(path, "quality", "a", "{\"text\":\"\\u00e9\\\"\",\"rouge1\":[0.5,null]}", &err));
    CHECK_OK(find(path, "speed", "a", number, &err));
    CHECK_OK(find(path, "quality", "it's", "[]", &err));
    CHECK_OK(find(path, "speed", "it's", NULL, &err));
    CHECK_OK(find(path, "quality", "A", NULL, &err));
    CHECK_OK(put(path, "quality", "a", "2", &err));
    CHECK_OK(find(path, "quality", "a", "2", &err));
    CHECK_OK(put(NULL, "quality", "a", "3", &err));
    CHECK_OK(find(NULL, "quality", "a", NULL, &err));
    folder_remove();
    arena_done(&arena);
}
END_TEST

static void key_of(char text[16], int process, int i) {
    snprintf(text, 16, "%d/%d", process, i);
}

// Processes that begin the file and put into it at once lose nothing, and find what they put.
START_TEST(many_at_once) {
    enum { PROCESSES = 4, EACH = 12 };
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    const char *path = path_in(&arena, "e.sqlite");
    pid_t children[PROCESSES];
    char key[16];
    for (int p = 0; p < PROCESSES; p++) {
        children[p] = fork();
        ck_assert_int_ge(children[p], 0);
        if (children[p] == 0) {
            int bad = 0;
            for (int i = 0; i < EACH; i++) {
                key_of(key, p, i);
                bad |= put(path, "k", key, "1", &err) != OK || put(path, "k", "shared", "[true]", &err) != OK ||
                       find(path, "k", key, "1", &err) != OK;
            }
            _exit(bad);
        }
    }
    for (int p = 0; p < PROCESSES; p++) {
        int status;
        ck_assert_int_eq(waitpid(children[p], &status, 0), children[p]);
        ck_assert_int_eq(status, 0);
    }
    for (int i = 0; i < PROCESSES * EACH; i++) {
        key_of(key, i / EACH, i % EACH);
        CHECK_OK(find(path, "k", key, "1", &err));
    }
    CHECK_OK(find(path, "k", "shared", "[true]", &err));
    folder_remove();
    arena_done(&arena);
}
END_TEST

// A process that is killed while it puts leaves what it had put, and nothing in half: it tells each key through a pipe
// once it is put.
START_TEST(killed_while_putting) {
    enum { KILLS = 12 };
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    const char *path = path_in(&arena, "e.sqlite");
    int told = 0;
    static char big[20000]; // several pages
    memset(big, 'x', sizeof big - 1);
    big[0] = big[sizeof big - 2] = '"';
    for (int round = 0; round < KILLS; round++) {
        int ends[2];
        ck_assert_int_eq(pipe(ends), 0);
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            char key[16];
            for (int i = told;; i++) {
                key_of(key, 0, i);
                if (put(path, "k", key, big, &err) != OK || write(ends[1], "", 1) != 1)
                    _exit(1);
            }
        }
        close(ends[1]);
        char byte;
        for (int i = 0; i <= round % 3; i++, told++)
            ck_assert_int_eq(read(ends[0], &byte, 1), 1);
        nanosleep(&(struct timespec){.tv_nsec = 700000L * round}, NULL);
        ck_assert_int_eq(kill(child, SIGKILL), 0);
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFSIGNALED(status));
        while (read(ends[0], &byte, 1) == 1)
            told++;
        close(ends[0]);
        char key[16];
        for (int i = 0; i < told; i++) {
            key_of(key, 0, i);
            CHECK_OK(find(path, "k", key, big, &err));
        }
    }
    sqlite3 *db;
    sqlite3_stmt *rows;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &rows, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(rows), SQLITE_ROW);
    ck_assert_str_eq((const char *)sqlite3_column_text(rows, 0), "ok");
    sqlite3_finalize(rows);
    sqlite3_close(db);
    folder_remove();
    arena_done(&arena);
}
END_TEST

START_TEST(damaged_files) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    static const char advice[] = "delete it or give another --cache", text[] = "no database, but long enough: ";
    char *page = arena_array(&arena, 200, 1, &err);
    for (size_t i = 0; i < 200; i++)
        page[i] = text[i % (sizeof text - 1)];
    const char *path = path_in(&arena, "text");
    CHECK_OK(file_replace(path, page, 200, &err));
    CHECK_FAILS(find(path, "k", "a", NULL, &err), ERR_FORMAT, advice);
    CHECK_FAILS(put(path, "k", "a", "1", &err), ERR_FORMAT, "is damaged or no cache of evaluations");
    // a good file whose last pages are overwritten: no value is wrong, and those of the pages lost are told
    path = path_in(&arena, "torn");
    char key[16];
    for (int i = 0; i < 60; i++) {
        key_of(key, 0, i);
        CHECK_OK(put(path, "k", key, "\"a value that is long enough to need a few pages of the file in all\"", &err));
    }
    Bytes bytes;
    CHECK_OK(file_map(&arena, path, &bytes, &err));
    unsigned char *copy = arena_alloc(&arena, bytes.size, 1, &err);
    memcpy(copy, bytes.data, bytes.size);
    for (size_t i = 4096; i < bytes.size; i++)
        copy[i] = (unsigned char)(i * 37);
    CHECK_OK(file_replace(path, copy, bytes.size, &err));
    CHECK_FAILS(find(path, "k", "0/1", NULL, &err), ERR_FORMAT, advice);
    CHECK_OK(file_replace(path, copy, 1000, &err));
    CHECK_FAILS(put(path, "k", "a", "1", &err), ERR_FORMAT, advice);
    // values that are no JSON, or no whole one
    path = path_in(&arena, "values");
    CHECK_OK(put(path, "k", "a", "[1,2]", &err));
    execute(path, "UPDATE evaluation SET value = '[1,'");
    CHECK_FAILS(find(path, "k", "a", NULL, &err), ERR_FORMAT,
                "is damaged: value of kind 'k': not valid JSON at line 1");
    CHECK_FAILS(find(path, "k", "a", NULL, &err), ERR_FORMAT, advice);
    execute(path, "UPDATE evaluation SET value = ''");
    CHECK_FAILS(find(path, "k", "a", NULL, &err), ERR_FORMAT, advice);
    CHECK_OK(put(path, "k", "a", "5", &err)); // measured again
    CHECK_OK(find(path, "k", "a", "5", &err));
    folder_remove();
    arena_done(&arena);
}
END_TEST

START_TEST(other_files) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    const char *foreign = path_in(&arena, "foreign"), *newer = path_in(&arena, "newer"),
               *empty = path_in(&arena, "empty"), *kept = path_in(&arena, "history");
    execute(foreign, "CREATE TABLE evaluation (kind, key, value)");
    CHECK_FAILS(find(foreign, "k", "a", NULL, &err), ERR_FORMAT,
                "is a database of another program, no cache of evaluations of hone");
    CHECK_FAILS(put(foreign, "k", "a", "1", &err), ERR_FORMAT, "is a database of another program");
    History *history;
    CHECK_OK(history_open(kept, &history, &err));
    history_close(history);
    CHECK_FAILS(put(kept, "k", "a", "1", &err), ERR_FORMAT, "no cache of evaluations of hone");
    CHECK_OK(put(newer, "k", "a", "1", &err));
    CHECK_FAILS(history_open(newer, &history, &err), ERR_FORMAT, "no history of hone");
    execute(newer, "PRAGMA user_version = 9");
    CHECK_FAILS(find(newer, "k", "a", NULL, &err), ERR_UNSUPPORTED,
                "has form 9, this hone knows forms up to 1; delete it or give another --cache");
    CHECK_FAILS(put(newer, "k", "a", "1", &err), ERR_UNSUPPORTED, "has form 9");
    CHECK_OK(file_replace(empty, "", 0, &err));
    CHECK_OK(find(empty, "k", "a", NULL, &err));
    CHECK_OK(put(empty, "k", "a", "1", &err));
    CHECK_OK(find(empty, "k", "a", "1", &err));
    CHECK_FAILS(put(path_in(&arena, "none/e"), "k", "a", "1", &err), ERR_IO, "unable to open database file");
    CHECK_FAILS(find(folder, "k", "a", NULL, &err), ERR_IO, "unable to open database file");
    folder_remove();
    arena_done(&arena);
}
END_TEST

// As a user who may read the folder but not write: what is there is found, what is put is told to be lost.
START_TEST(read_only_folder) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    const char *path = path_in(&arena, "e.sqlite"), *absent = path_in(&arena, "absent");
    CHECK_OK(put(path, "k", "a", "1", &err));
    ck_assert_int_eq(chmod(path, 0444), 0);
    ck_assert_int_eq(chmod(folder, 0555), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
            _exit(1);
        CHECK_OK(find(path, "k", "a", "1", &err));
        CHECK_FAILS(put(path, "k", "a", "2", &err), ERR_IO, "attempt to write a readonly database");
        CHECK_OK(find(absent, "k", "a", NULL, &err));
        CHECK_FAILS(put(absent, "k", "a", "2", &err), ERR_IO, "unable to open database file");
        _exit(7);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    ck_assert_int_eq(chmod(folder, 0755), 0);
    CHECK_OK(find(path, "k", "a", "1", &err));
    folder_remove();
    arena_done(&arena);
}
END_TEST

// SQLite's own memory and system calls, made to fail as those of base/ are. Not by EIO, which SQLite takes for a
// damaged file.
static sqlite3_mem_methods plain_memory;
static ssize_t (*plain_read)(int, void *, size_t), (*plain_write)(int, const void *, size_t);
static ssize_t (*plain_pread)(int, void *, size_t, off_t), (*plain_pwrite)(int, const void *, size_t, off_t);

static void *failing_malloc(int bytes) {
    return fault_strikes(FAULT_ALLOCATION) ? NULL : plain_memory.xMalloc(bytes);
}

static void *failing_realloc(void *old, int bytes) {
    return fault_strikes(FAULT_ALLOCATION) ? NULL : plain_memory.xRealloc(old, bytes);
}

static ssize_t failing_read(int file, void *data, size_t bytes) {
    return fault_strikes(FAULT_READ) ? (errno = ESTALE, -1) : plain_read(file, data, bytes);
}

static ssize_t failing_pread(int file, void *data, size_t bytes, off_t at) {
    return fault_strikes(FAULT_READ) ? (errno = ESTALE, -1) : plain_pread(file, data, bytes, at);
}

static ssize_t failing_write(int file, const void *data, size_t bytes) {
    return fault_strikes(FAULT_WRITE) ? (errno = ENOSPC, -1) : plain_write(file, data, bytes);
}

static ssize_t failing_pwrite(int file, const void *data, size_t bytes, off_t at) {
    return fault_strikes(FAULT_WRITE) ? (errno = ENOSPC, -1) : plain_pwrite(file, data, bytes, at);
}

static sqlite3_syscall_ptr replace(sqlite3_vfs *vfs, const char *name, sqlite3_syscall_ptr with) {
    sqlite3_syscall_ptr plain = vfs->xGetSystemCall(vfs, name);
    if (plain)
        ck_assert_int_eq(vfs->xSetSystemCall(vfs, name, with), SQLITE_OK);
    return plain;
}

static void faults_begin(void) {
    ck_assert_int_eq(sqlite3_shutdown(), SQLITE_OK);
    ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain_memory), SQLITE_OK);
    sqlite3_mem_methods failing = plain_memory;
    failing.xMalloc = failing_malloc;
    failing.xRealloc = failing_realloc;
    ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing), SQLITE_OK);
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    plain_read = (ssize_t(*)(int, void *, size_t))replace(vfs, "read", (sqlite3_syscall_ptr)failing_read);
    plain_write = (ssize_t(*)(int, const void *, size_t))replace(vfs, "write", (sqlite3_syscall_ptr)failing_write);
    static const char *const preads[] = {"pread", "pread64"}, *const pwrites[] = {"pwrite", "pwrite64"};
    for (int i = 0; i < 2; i++) {
        sqlite3_syscall_ptr pread = replace(vfs, preads[i], (sqlite3_syscall_ptr)failing_pread);
        sqlite3_syscall_ptr pwrite = replace(vfs, pwrites[i], (sqlite3_syscall_ptr)failing_pwrite);
        plain_pread = pread ? (ssize_t(*)(int, void *, size_t, off_t))pread : plain_pread;
        plain_pwrite = pwrite ? (ssize_t(*)(int, const void *, size_t, off_t))pwrite : plain_pwrite;
    }
}

// What was put is there, what failed is not, and what was there before stays.
static uint64_t check_faults(const char *path, FaultKind kind, Status expected) {
    uint64_t failures = 0;
    for (uint64_t n = 1;; n++) {
        Error err = {0};
        char value[32];
        snprintf(value, sizeof value, "{\"n\":%llu}", (unsigned long long)n);
        unlink(path);
        CHECK_OK(put(path, "k", "before", "1", &err));
        fault_arm(kind, n);
        Status status = put(path, "k", "a", value, &err);
        bool struck = fault_seen(kind) >= n;
        fault_arm(kind, 0);
        ck_assert_msg(status == OK || (status == expected && err.message[0]), "operation %llu: status '%s', '%s'",
                      (unsigned long long)n, status_name(status), err.message);
        failures += status != OK;
        CHECK_OK(find(path, "k", "before", "1", &err));
        CHECK_OK(find(path, "k", "a", status == OK ? value : NULL, &err));
        CHECK_OK(put(path, "k", "a", value, &err));
        Arena arena;
        arena_init(&arena, 0);
        json_t *found;
        fault_arm(kind, n);
        status = evaluations_find(&(Evaluations){path}, &arena, "k", "a", &found, &err);
        struck |= fault_seen(kind) >= n;
        fault_arm(kind, 0);
        if (status == OK)
            check_value(found, value);
        arena_done(&arena);
        ck_assert_msg(status == OK || status == expected, "operation %llu of find: status '%s', '%s'",
                      (unsigned long long)n, status_name(status), err.message);
        failures += status != OK;
        if (!struck)
            return failures;
    }
}

START_TEST(faults) {
    Arena arena;
    arena_init(&arena, 0);
    const char *path = path_in(&arena, "e.sqlite");
    faults_begin();
    uint64_t allocations = check_faults(path, FAULT_ALLOCATION, ERR_MEMORY);
    uint64_t reads = check_faults(path, FAULT_READ, ERR_IO), writes = check_faults(path, FAULT_WRITE, ERR_IO);
    printf("# fault points: put and find: %llu allocations, %llu reads, %llu writes\n", (unsigned long long)allocations,
           (unsigned long long)reads, (unsigned long long)writes);
    ck_assert(allocations > 20 && reads > 2 && writes > 2);
    folder_remove();
    arena_done(&arena);
}
END_TEST

TEST_MAIN("compress/evaluations", values_come_back, many_at_once, killed_while_putting, damaged_files, other_files,
          read_only_folder, faults)
