// SPDX-License-Identifier: Apache-2.0
// Files that this user alone may write: what a cache needs to trust what it finds. Nothing here follows a link at the
// end of a path.
#pragma once

#include "base/file.h"

// Identity and times of a file: what tells, without reading it, that it is still the same.
typedef struct FileStamp {
    uint64_t device, inode, bytes;
    int64_t modified_ns, changed_ns; // contents; contents, name or rights
} FileStamp;

MUST_CHECK Status file_stamp(const char *path, FileStamp *ret_stamp, Error *err); // links followed

// Nanoseconds of the clock that file times are from.
int64_t file_clock_ns(void);

// Makes the folder and those above it that are missing, for this user only. ERR_IO when it cannot be, or when a folder
// that is there belongs to somebody else or can be written by others.
MUST_CHECK Status folder_make_own(const char *path, Error *err);

// Maps a file as file_map does, but shared between processes and in huge pages where the file system has them. ERR_IO
// unless it is a regular file of this user that others may not write.
MUST_CHECK Status file_map_own(Arena *arena, const char *path, Bytes *ret_bytes, Error *err);

// The file was used now: its time of modification says so. Failure does not matter.
void file_touch(const char *path);
void file_remove(const char *path);

// Only this user may read and write the file from now on.
void file_restrict(const char *path);

// Bytes free for this user in the folder's file system; 0 when the system does not say.
uint64_t folder_room_bytes(const char *path);
