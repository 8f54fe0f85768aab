// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fault.h"
#include "base/scratch.h"

START_TEST(what_is_written_is_read) {
    Error err;
    Scratch scratch = scratch_make();
    char *path = scratch_path(&scratch, "file");
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 200000};
    for (size_t s = 0; s < ARRAY_COUNT(sizes); s++)
        for (size_t piece = 1000; piece <= 70000; piece += 23000) {
            unsigned char *data = arena_array(&scratch.arena, sizes[s], 1, &err);
            for (size_t i = 0; i < sizes[s]; i++)
                data[i] = (unsigned char)(i * 7 + s);
            FileWriter *writer;
            CHECK_OK(file_create(path, &writer, &err));
            for (size_t at = 0; at < sizes[s]; at += piece)
                CHECK_OK(file_write(writer, data + at, sizes[s] - at < piece ? sizes[s] - at : piece, &err));
            CHECK_OK(file_commit(writer, &err));
            Bytes bytes;
            CHECK_OK(file_map(&scratch.arena, path, &bytes, &err));
            ck_assert_uint_eq(bytes.size, sizes[s]);
            ck_assert(sizes[s] == 0 || memcmp(bytes.data, data, sizes[s]) == 0);
            file_forget(bytes.data, bytes.size);
            ck_assert(sizes[s] == 0 || bytes.data[sizes[s] - 1] == data[sizes[s] - 1]);
        }
    ck_assert_uint_eq(scratch_count(&scratch), 1);
    scratch_done(&scratch);
}
END_TEST

// Writes 200 kB over a file that holds "old".
static Status replace(const char *path, Error *err) {
    static unsigned char data[200000];
    FileWriter *writer;
    TRY(file_create(path, &writer, err));
    for (size_t i = 0; i < 4; i++) {
        Status status = file_write(writer, data + i * 50000, 50000, err);
        if (status != OK) {
            file_discard(writer);
            return status;
        }
    }
    return file_commit(writer, err);
}

START_TEST(every_failing_write_leaves_the_old_file) {
    Error err;
    Scratch scratch = scratch_make();
    char *path = scratch_path(&scratch, "file");
    CHECK_OK(file_replace(path, "old", 3, &err));
    uint64_t n = 1;
    for (;; n++) {
        fault_arm(FAULT_WRITE, n);
        Status status = replace(path, &err);
        bool struck = fault_seen(FAULT_WRITE) >= n;
        fault_arm(FAULT_WRITE, 0);
        if (!struck) {
            ck_assert_int_eq(status, OK);
            break;
        }
        ck_assert_int_eq(status, ERR_IO);
        ck_assert_ptr_nonnull(strstr(err.message, path));
        ck_assert_uint_eq(scratch_count(&scratch), 1);
        Bytes bytes;
        CHECK_OK(file_map(&scratch.arena, path, &bytes, &err));
        ck_assert(bytes.size == 3 && memcmp(bytes.data, "old", 3) == 0);
    }
    ck_assert_uint_ge(n, 6); // create, writes, flush, rename
    Bytes bytes;
    CHECK_OK(file_map(&scratch.arena, path, &bytes, &err));
    ck_assert_uint_eq(bytes.size, 200000);
    scratch_done(&scratch);
}
END_TEST

START_TEST(every_failing_allocation_or_read_is_clean) {
    Error err;
    Scratch scratch = scratch_make();
    char *path = scratch_path(&scratch, "file");
    CHECK_OK(file_replace(path, "old", 3, &err));
    for (FaultKind kind = FAULT_ALLOCATION; kind <= FAULT_READ; kind++) {
        for (uint64_t n = 1;; n++) {
            Arena arena;
            Bytes bytes;
            char **names;
            size_t count;
            arena_init(&arena, 0);
            fault_arm(kind, n);
            Status status = file_map(&arena, path, &bytes, &err);
            if (status == OK)
                status = folder_list(&arena, scratch.path, &names, &count, &err);
            if (status == OK)
                status = file_replace(path, "old", 3, &err);
            bool struck = fault_seen(kind) >= n;
            fault_arm(kind, 0);
            arena_done(&arena);
            ck_assert_int_eq(status, !struck ? OK : kind == FAULT_READ ? ERR_IO : ERR_MEMORY);
            if (!struck)
                break;
            ck_assert_uint_eq(scratch_count(&scratch), 1);
        }
    }
    scratch_done(&scratch);
}
END_TEST

START_TEST(what_cannot_be_mapped_says_why) {
    Error err;
    Scratch scratch = scratch_make();
    Bytes bytes = {NULL, 77};
    char *path = scratch_path(&scratch, "none");
    CHECK_FAILS(file_map(&scratch.arena, path, &bytes, &err), ERR_IO,
                "none' cannot be opened: No such file or directory");
    CHECK_FAILS(file_map(&scratch.arena, scratch.path, &bytes, &err), ERR_IO, "is not a regular file");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    CHECK_FAILS(file_map(&scratch.arena, path, &bytes, &err), ERR_IO, "is not a regular file"); // and does not wait
    ck_assert(bytes.data == NULL && bytes.size == 77);
    ck_assert_int_eq(path_kind(path), PATH_OTHER);
    FileWriter *writer;
    CHECK_FAILS(file_create(scratch_path(&scratch, "no/file"), &writer, &err), ERR_IO, "cannot be created");
    CHECK_FAILS(file_replace(scratch.path, "x", 1, &err), ERR_IO, "cannot be created: it is a folder");
    scratch_done(&scratch);
}
END_TEST

START_TEST(devices_are_written_as_they_are) {
    Error err;
    CHECK_OK(file_replace("/dev/null", "x", 1, &err));
    ck_assert_int_eq(path_kind("/dev/null"), PATH_OTHER);
    CHECK_FAILS(file_replace("/dev/full", "x", 1, &err), ERR_IO, "No space left on device");
    ck_assert_int_eq(path_kind("/dev/full"), PATH_OTHER);
}
END_TEST

START_TEST(streams_are_read_to_their_end_or_limit) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    for (size_t size = 0; size < 60000; size += 19999) {
        int ends[2];
        ck_assert_int_eq(pipe(ends), 0);
        char *data = arena_array(&arena, size + 1, 1, &err);
        memset(data, 'x', size);
        ck_assert_int_eq(write(ends[1], data, size), (ssize_t)size);
        close(ends[1]);
        Bytes bytes;
        if (size > 50000)
            CHECK_FAILS(file_read_all(&arena, ends[0], "pipe", 50000, &bytes, &err), ERR_LIMIT,
                        "pipe holds more than 50000");
        else {
            CHECK_OK(file_read_all(&arena, ends[0], "pipe", 50000, &bytes, &err));
            ck_assert(bytes.size == size && memcmp(bytes.data, data, size) == 0);
        }
        close(ends[0]);
    }
    CHECK_FAILS(file_read_all(&arena, -1, "nothing", 10, &(Bytes){0}, &err), ERR_IO,
                "nothing cannot be read: Bad file");
    arena_done(&arena);
}
END_TEST

START_TEST(paths) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    ck_assert_str_eq(path_join(&arena, "a", "b", &err), "a/b");
    ck_assert_str_eq(path_join(&arena, "a/", "b", &err), "a/b");
    ck_assert_str_eq(path_name("x/y/z"), "z");
    ck_assert_str_eq(path_name("z"), "z");
    ck_assert_str_eq(path_name("z/"), "");
    arena_done(&arena);
}
END_TEST

static void discard_and_leave(int number) {
    (void)number;
    file_discard_all();
    _exit(130);
}

START_TEST(a_signal_leaves_nothing_behind) {
    Error err;
    Scratch scratch = scratch_make();
    char *file = scratch_path(&scratch, "file"), *folder = scratch_path(&scratch, "folder");
    pid_t child = fork();
    if (child == 0) {
        signal(SIGTERM, discard_and_leave);
        FileWriter *one, *two, *three;
        char *staging;
        if (file_create(file, &one, &err) != OK || file_write(one, "x", 1, &err) != OK ||
            folder_stage(&scratch.arena, folder, false, &staging, &err) != OK)
            _exit(1);
        char *inside = path_join(&scratch.arena, staging, "model.safetensors", &err);
        char *open = path_join(&scratch.arena, staging, "any name", &err);
        if (!inside || !open || file_replace(inside, "abc", 3, &err) != OK || file_create(open, &two, &err) != OK ||
            file_create(scratch_path(&scratch, "other"), &three, &err) != OK)
            _exit(2);
        raise(SIGTERM);
        _exit(3);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 130);
    ck_assert_uint_eq(scratch_count(&scratch), 0);
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("file", what_is_written_is_read, every_failing_write_leaves_the_old_file,
          every_failing_allocation_or_read_is_clean, what_cannot_be_mapped_says_why, devices_are_written_as_they_are,
          streams_are_read_to_their_end_or_limit, paths, a_signal_leaves_nothing_behind)
