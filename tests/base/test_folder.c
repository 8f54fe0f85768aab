// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fault.h"
#include "base/scratch.h"

// Stages a folder of two files onto `path` and commits it.
static Status write_folder(Arena *arena, const char *path, bool replace, const char *text, Error *err) {
    char *staging;
    TRY(folder_stage(arena, path, replace, &staging, err));
    char *one = path_join(arena, staging, "hone.json", err), *two = one ? path_join(arena, staging, "data", err) : NULL;
    Status status = two ? file_replace(one, "{}", 2, err) : err->status;
    if (status == OK)
        status = file_replace(two, text, strlen(text), err);
    if (status == OK)
        status = folder_commit(staging, path, err);
    if (status != OK)
        folder_discard(staging);
    return status;
}

static bool holds(Scratch *scratch, const char *path, const char *text) {
    Error err;
    Bytes bytes;
    CHECK_OK(file_map(&scratch->arena, path, &bytes, &err));
    return bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
}

START_TEST(names_are_sorted) {
    Error err;
    Scratch scratch = scratch_make();
    for (int i = 99; i >= 0; i--) {
        char name[8];
        snprintf(name, sizeof name, "%02d", i * 37 % 100);
        CHECK_OK(file_replace(scratch_path(&scratch, name), "", 0, &err));
    }
    char **names;
    size_t count;
    CHECK_OK(folder_list(&scratch.arena, scratch.path, &names, &count, &err));
    ck_assert_uint_eq(count, 100);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(strtol(names[i], NULL, 10), (long)i);
    CHECK_FAILS(folder_list(&scratch.arena, scratch_path(&scratch, "00"), &names, &count, &err), ERR_IO,
                "Not a directory");
    scratch_done(&scratch);
}
END_TEST

START_TEST(a_new_an_empty_and_an_own_folder_are_taken) {
    Error err;
    Scratch scratch = scratch_make();
    char *path = scratch_path(&scratch, "out"), *slashed = scratch_path(&scratch, "out//");
    CHECK_OK(write_folder(&scratch.arena, path, false, "new", &err));
    ck_assert(holds(&scratch, scratch_path(&scratch, "out/data"), "new"));
    CHECK_FAILS(write_folder(&scratch.arena, path, false, "x", &err), ERR_USAGE,
                "exists and is not empty: give the name");
    CHECK_OK(write_folder(&scratch.arena, slashed, true, "replaced", &err));
    ck_assert(holds(&scratch, scratch_path(&scratch, "out/data"), "replaced"));
    ck_assert_int_eq(mkdir(scratch_path(&scratch, "empty"), 0777), 0);
    CHECK_OK(write_folder(&scratch.arena, scratch_path(&scratch, "empty"), false, "in", &err));
    ck_assert_uint_eq(scratch_count(&scratch), 2);
    scratch_done(&scratch);
}
END_TEST

START_TEST(what_others_wrote_is_not_touched) {
    Error err;
    Scratch scratch = scratch_make();
    char *path = scratch_path(&scratch, "theirs"), *file = scratch_path(&scratch, "theirs/file");
    ck_assert_int_eq(mkdir(path, 0777), 0);
    CHECK_OK(file_replace(file, "precious", 8, &err));
    CHECK_FAILS(write_folder(&scratch.arena, path, true, "x", &err), ERR_USAGE, "and hone did not write it");
    CHECK_FAILS(write_folder(&scratch.arena, file, true, "x", &err), ERR_USAGE, "is not a folder");
    CHECK_FAILS(write_folder(&scratch.arena, scratch_path(&scratch, "no/where"), true, "x", &err), ERR_IO,
                "cannot be created");
    ck_assert(holds(&scratch, file, "precious"));
    ck_assert_uint_eq(scratch_count(&scratch), 1);
    scratch_done(&scratch);
}
END_TEST

START_TEST(every_failure_leaves_the_old_folder) {
    Error err;
    Scratch scratch = scratch_make();
    char *path = scratch_path(&scratch, "out");
    for (FaultKind kind = FAULT_ALLOCATION; kind < FAULT_COUNT; kind++) {
        CHECK_OK(write_folder(&scratch.arena, path, true, "old", &err));
        uint64_t n = 1, spared = 0;
        for (;; n++) {
            Arena arena;
            arena_init(&arena, 0);
            fault_arm(kind, n);
            Status status = write_folder(&arena, path, true, "new", &err);
            bool struck = fault_seen(kind) >= n;
            fault_arm(kind, 0);
            arena_done(&arena);
            if (struck && status == OK) { // where two folders cannot change places, they are renamed in turn
                ck_assert(kind == FAULT_WRITE && ++spared == 1);
                ck_assert(holds(&scratch, scratch_path(&scratch, "out/data"), "new"));
                CHECK_OK(write_folder(&scratch.arena, path, true, "old", &err));
                continue;
            }
            ck_assert_int_eq(status, !struck ? OK : kind == FAULT_ALLOCATION ? ERR_MEMORY : ERR_IO);
            ck_assert(holds(&scratch, scratch_path(&scratch, "out/data"), struck ? "old" : "new"));
            ck_assert_uint_eq(scratch_count(&scratch), 1);
            if (!struck)
                break;
        }
        ck_assert_uint_eq(spared, kind == FAULT_WRITE);
        ck_assert_uint_ge(n, kind == FAULT_WRITE ? 11 : 2);
    }
    scratch_done(&scratch);
}
END_TEST

START_TEST(scratch_leaves_with_its_arena) {
    Error err;
    Scratch scratch = scratch_make();
    Arena arena;
    arena_init(&arena, 0);
    char *path;
    char dead[64], alive[64];
    snprintf(dead, sizeof dead, "out.%d.scratch", 0x3ffffff); // beyond any process
    snprintf(alive, sizeof alive, "out.%d.scratch", (int)getppid());
    ck_assert_int_eq(mkdir(scratch_path(&scratch, dead), 0777), 0);
    ck_assert_int_eq(mkdir(scratch_path(&scratch, alive), 0777), 0);
    ck_assert_int_eq(mkdir(scratch_path(&scratch, "out.1x.scratch"), 0777), 0);
    CHECK_OK(folder_scratch(&arena, scratch_path(&scratch, "out/"), &path, &err));
    CHECK_OK(write_folder(&arena, path_join(&arena, path, "model", &err), false, "in", &err));
    CHECK_OK(file_replace(path_join(&arena, path, "file", &err), "x", 1, &err));
    ck_assert_int_eq(path_kind(scratch_path(&scratch, dead)), PATH_NONE);
    ck_assert_int_eq(path_kind(scratch_path(&scratch, alive)), PATH_FOLDER);
    ck_assert_uint_eq(scratch_count(&scratch), 3);
    CHECK_FAILS(folder_scratch(&scratch.arena, scratch_path(&scratch, "out"), &path, &err), ERR_IO,
                "cannot be created");
    arena_done(&arena);
    ck_assert_uint_eq(scratch_count(&scratch), 2);
    CHECK_OK(folder_scratch(&arena, scratch_path(&scratch, "out"), &path, &err));
    CHECK_OK(write_folder(&arena, path_join(&arena, path, "model", &err), false, "in", &err));
    file_discard_all();
    ck_assert_uint_eq(scratch_count(&scratch), 2);
    arena_done(&arena);
    fault_arm(FAULT_WRITE, 1);
    CHECK_FAILS(folder_scratch(&arena, scratch_path(&scratch, "out"), &path, &err), ERR_IO, "cannot be created");
    fault_arm(FAULT_WRITE, 0);
    arena_done(&arena);
    scratch_done(&scratch);
}
END_TEST

// A process that replaces a folder again and again and is interrupted, as the program is: a whole folder is there, and
// nothing beside it.
static void on_interrupt(int number) {
    (void)number;
    file_discard_all();
    _exit(7);
}

START_TEST(interrupted_while_replacing) {
    Error err;
    Scratch scratch = scratch_make();
    char *path = scratch_path(&scratch, "out");
    CHECK_OK(write_folder(&scratch.arena, path, true, "0", &err));
    for (long round = 0; round < 60; round++) {
        int ends[2], status;
        ck_assert_int_eq(pipe(ends), 0);
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            signal(SIGINT, on_interrupt);
            for (int i = 0;; i++) {
                Arena arena;
                arena_init(&arena, 0);
                if (write_folder(&arena, path, true, "0", &err) != OK || (i == 0 && write(ends[1], "", 1) != 1))
                    _exit(1);
                arena_done(&arena);
            }
        }
        char byte;
        ck_assert_int_eq(read(ends[0], &byte, 1), 1);
        nanosleep(&(struct timespec){.tv_nsec = 50000 * round}, NULL);
        ck_assert_int_eq(kill(child, SIGINT), 0);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
        close(ends[0]);
        close(ends[1]);
        ck_assert(holds(&scratch, scratch_path(&scratch, "out/data"), "0"));
        ck_assert_uint_eq(scratch_count(&scratch), 1);
    }
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("folder", names_are_sorted, a_new_an_empty_and_an_own_folder_are_taken, what_others_wrote_is_not_touched,
          every_failure_leaves_the_old_folder, interrupted_while_replacing, scratch_leaves_with_its_arena)
