// SPDX-License-Identifier: Apache-2.0
// Files of this user alone: folders made, files of others and links refused, stamps that change with the file.
#include "base/own.h"

#include <sys/stat.h>

#include "base/fault.h"
#include "base/scratch.h"

static Error err;

START_TEST(test_folders) {
    Scratch scratch = scratch_make();
    char *above = scratch_path(&scratch, "a"), *deep = scratch_path(&scratch, "a/b/c");
    CHECK_OK(folder_make_own(deep, &err));
    CHECK_OK(folder_make_own(deep, &err));
    struct stat info;
    ck_assert_int_eq(stat(deep, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0700);
    ck_assert_uint_gt(folder_room_bytes(deep), 0);
    ck_assert_int_eq(chmod(deep, 0770), 0);
    CHECK_FAILS(folder_make_own(deep, &err), ERR_IO, "is not a folder that only this user may write");
    if (geteuid() == 0) {
        ck_assert_int_eq(chmod(deep, 0700), 0);
        ck_assert_int_eq(chown(deep, 12345, 12345), 0);
        CHECK_FAILS(folder_make_own(deep, &err), ERR_IO, "is not a folder that only this user may write");
    }
    char *file = scratch_path(&scratch, "a/file");
    CHECK_OK(file_replace(file, "x", 1, &err));
    CHECK_FAILS(folder_make_own(file, &err), ERR_IO, "is not a folder that only this user may write");
    CHECK_FAILS(folder_make_own(scratch_path(&scratch, "a/file/b"), &err), ERR_IO, "cannot be created");
    CHECK_FAILS(folder_make_own("", &err), ERR_IO, "is no path");
    rmdir(deep);
    rmdir(scratch_path(&scratch, "a/b"));
    unlink(file);
    rmdir(above);
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_maps) {
    Scratch scratch = scratch_make();
    char *path = scratch_path(&scratch, "file"), *link = scratch_path(&scratch, "link");
    CHECK_OK(file_replace(path, "contents", 8, &err));
    ck_assert_int_eq(chmod(path, 0600), 0);
    Bytes bytes;
    CHECK_OK(file_map_own(&scratch.arena, path, &bytes, &err));
    ck_assert_uint_eq(bytes.size, 8);
    ck_assert_mem_eq(bytes.data, "contents", 8);
    ck_assert_int_eq(symlink("file", link), 0);
    CHECK_FAILS(file_map_own(&scratch.arena, link, &bytes, &err), ERR_IO, "cannot be opened");
    CHECK_FAILS(file_map_own(&scratch.arena, scratch.path, &bytes, &err), ERR_IO, "is not a file that only this user");
    ck_assert_int_eq(chmod(path, 0602), 0);
    CHECK_FAILS(file_map_own(&scratch.arena, path, &bytes, &err), ERR_IO, "is not a file that only this user");
    CHECK_OK(file_replace(path, "", 0, &err));
    CHECK_FAILS(file_map_own(&scratch.arena, path, &bytes, &err), ERR_IO, "or is empty");
    for (uint64_t nth = 1; nth <= 2; nth++) {
        fault_arm(FAULT_READ, nth);
        CHECK_FAILS(file_map_own(&scratch.arena, path, &bytes, &err), ERR_IO, "Input/output error");
    }
    fault_arm(FAULT_READ, 0);
    scratch_done(&scratch);
}
END_TEST

START_TEST(test_stamps) {
    Scratch scratch = scratch_make();
    char *path = scratch_path(&scratch, "file");
    FileStamp before, after;
    CHECK_FAILS(file_stamp(path, &before, &err), ERR_IO, "cannot be looked at: No such file");
    CHECK_OK(file_replace(path, "one", 3, &err));
    CHECK_OK(file_stamp(path, &before, &err));
    ck_assert_uint_eq(before.bytes, 3);
    ck_assert_int_le(before.changed_ns, file_clock_ns());
    ck_assert_int_gt(before.changed_ns, file_clock_ns() - (int64_t)60 * 1000000000);
    CHECK_OK(file_stamp(path, &after, &err));
    ck_assert_mem_eq(&before, &after, sizeof before);
    usleep(20000);
    file_touch(path);
    CHECK_OK(file_stamp(path, &after, &err));
    ck_assert_int_gt(after.modified_ns, before.modified_ns);
    CHECK_OK(file_replace(path, "two", 3, &err)); // a file renamed onto it is another file
    CHECK_OK(file_stamp(path, &after, &err));
    ck_assert(after.inode != before.inode && after.changed_ns > before.changed_ns);
    FileWriter *writer;
    CHECK_OK(file_create(path, &writer, &err));
    CHECK_OK(file_write(writer, "three", 5, &err));
    CHECK_OK(file_commit_soon(writer, &err));
    CHECK_OK(file_stamp(path, &after, &err));
    ck_assert_uint_eq(after.bytes, 5);
    file_remove(path);
    ck_assert(path_kind(path) == PATH_NONE);
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("own", test_folders, test_maps, test_stamps)
