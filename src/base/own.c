// SPDX-License-Identifier: Apache-2.0
// Files and folders of this user alone.
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"

static int64_t time_ns(struct timespec t) {
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

Status file_stamp(const char *path, FileStamp *ret_stamp, Error *err) {
    struct stat info;
    errno = 0;
    if (fault_strikes(FAULT_READ) || stat(path, &info) != 0)
        return FAIL(err, ERR_IO, "file '%s' cannot be looked at: %s", path, strerror(errno ? errno : EIO));
    *ret_stamp =
        (FileStamp){info.st_dev, info.st_ino, (uint64_t)info.st_size, time_ns(info.st_mtim), time_ns(info.st_ctim)};
    return OK;
}

int64_t file_clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return time_ns(now);
}

static bool is_own(const struct stat *info) {
    return info->st_uid == geteuid() && !(info->st_mode & (S_IWGRP | S_IWOTH));
}

Status folder_make_own(const char *path, Error *err) {
    char part[PATH_MAX];
    size_t length = strlen(path);
    if (!length || length >= sizeof part)
        return FAIL(err, ERR_IO, "'%.40s' is no path of 1 to %d bytes", path, PATH_MAX - 1);
    memcpy(part, path, length + 1);
    errno = 0;
    bool struck = fault_strikes(FAULT_WRITE);
    for (size_t i = 1; i <= length && !struck; i++)
        if (part[i] == '/' || part[i] == '\0') {
            char end = part[i];
            part[i] = '\0';
            mkdir(part, 0700); // the one that fails shows below
            part[i] = end;
        }
    struct stat info;
    if (struck || stat(path, &info) != 0)
        return FAIL(err, ERR_IO, "folder '%s' cannot be created: %s", path, strerror(errno ? errno : EIO));
    if (!S_ISDIR(info.st_mode) || !is_own(&info))
        return FAIL(err, ERR_IO, "'%s' is not a folder that only this user may write", path);
    return OK;
}

typedef struct Mapping {
    void *data;
    size_t bytes;
} Mapping;

static void mapping_free(void *object) {
    Mapping *mapping = object;
    munmap(mapping->data, mapping->bytes);
}

static Status map_own(Arena *arena, int descriptor, const char *path, Bytes *ret_bytes, Error *err) {
    struct stat info;
    if (fstat(descriptor, &info) != 0 || fault_strikes(FAULT_READ))
        return FAIL(err, ERR_IO, "file '%s' cannot be read: %s", path, strerror(errno ? errno : EIO));
    if (!S_ISREG(info.st_mode) || !is_own(&info) || !info.st_size)
        return FAIL(err, ERR_IO, "'%s' is not a file that only this user may write, or is empty", path);
    Mapping *mapping = arena_array(arena, 1, sizeof *mapping, err);
    TRY_NEW(mapping);
    mapping->bytes = (size_t)info.st_size;
    mapping->data = mmap(NULL, mapping->bytes, PROT_READ, MAP_SHARED, descriptor, 0);
    if (mapping->data == MAP_FAILED)
        return FAIL(err, ERR_IO, "file '%s' cannot be mapped: %s", path, strerror(errno));
#ifdef MADV_HUGEPAGE
    madvise(mapping->data, mapping->bytes, MADV_HUGEPAGE); // reads ahead in huge pages where it is not in memory yet
#endif
    Bytes bytes = {mapping->data, mapping->bytes};
    TRY(arena_on_free(arena, mapping_free, mapping, err));
    *ret_bytes = bytes;
    return OK;
}

Status file_map_own(Arena *arena, const char *path, Bytes *ret_bytes, Error *err) {
    errno = 0;
    int descriptor = fault_strikes(FAULT_READ) ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (descriptor < 0)
        return FAIL(err, ERR_IO, "file '%s' cannot be opened: %s", path, strerror(errno ? errno : EIO));
    Status status = map_own(arena, descriptor, path, ret_bytes, err);
    close(descriptor);
    return status;
}

void file_touch(const char *path) {
    utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW);
}

void file_remove(const char *path) {
    unlink(path);
}

void file_restrict(const char *path) {
    fchmodat(AT_FDCWD, path, S_IRUSR | S_IWUSR, 0);
}

uint64_t folder_room_bytes(const char *path) {
    struct statvfs info;
    return statvfs(path, &info) == 0 ? (uint64_t)info.f_bavail * info.f_frsize : 0;
}
