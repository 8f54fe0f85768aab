// SPDX-License-Identifier: Apache-2.0
// Files: mapped for reading, written beside their place and renamed. Every operation asks base/fault.h first.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

// Bytes that somebody else owns.
typedef struct Bytes {
    const unsigned char *data;
    size_t size;
} Bytes;

typedef enum PathKind { PATH_NONE, PATH_FILE, PATH_FOLDER, PATH_OTHER } PathKind;

// What is at `path` (links followed).
PathKind path_kind(const char *path);

// "folder/name", in the arena.
char *path_join(Arena *arena, const char *folder, const char *name, Error *err);

// The part after the last slash ("" for a path that ends in one).
const char *path_name(const char *path);

// Maps a regular file read-only for as long as the arena lives; no byte is copied. An empty file gives size 0.
// ERR_IO names the path and the system's reason.
MUST_CHECK Status file_map(Arena *arena, const char *path, Bytes *ret_bytes, Error *err);

// Tells the kernel that these mapped bytes are not needed again soon: they leave the resident set, and come back if
// read.
void file_forget(const void *data, size_t bytes);

// A stream read to its end (for pipes and standard input; `name` is for messages). At most `limit_bytes`.
MUST_CHECK Status file_read_all(Arena *arena, int descriptor, const char *name, size_t limit_bytes, Bytes *ret_bytes,
                                Error *err);

// A file being written beside its place. On file_commit it is flushed to disk and renamed onto `path`; without that,
// file_discard removes every trace (NULL is fine). file_commit frees the writer, whether it succeeds or not. A `path`
// that is a device or a pipe is written directly.
typedef struct FileWriter FileWriter;
MUST_CHECK Status file_create(const char *path, FileWriter **ret_writer, Error *err);
MUST_CHECK Status file_write(FileWriter *writer, const void *data, size_t bytes, Error *err);
MUST_CHECK Status file_commit(FileWriter *writer, Error *err);
void file_discard(FileWriter *writer);
// file_commit without waiting for the disk, for what can be made again: after a power failure the file may be there and
// hold anything.
MUST_CHECK Status file_commit_soon(FileWriter *writer, Error *err);

// Writes a whole file the same way.
MUST_CHECK Status file_replace(const char *path, const void *data, size_t bytes, Error *err);

// A folder being filled beside its place: `ret_staging` (in the arena) is the path to fill; folder_commit renames it
// onto `path`. `path` must not exist or be an empty folder, or, where `replace` says so, a folder that holds a
// hone.json. folder_discard removes what was staged.
MUST_CHECK Status folder_stage(Arena *arena, const char *path, bool replace, char **ret_staging, Error *err);
MUST_CHECK Status folder_commit(const char *staging, const char *path, Error *err);
void folder_discard(const char *staging);

// Fails where folder_stage would fail for what is at `path`, before long work is done for it.
MUST_CHECK Status folder_stage_check(Arena *arena, const char *path, bool replace, Error *err);

// A folder for intermediate results beside `beside` (whose last part is a name), empty; it and what it holds, folders
// of files too, leave with the arena, and by file_discard_all. What killed processes left beside the same name goes
// first.
MUST_CHECK Status folder_scratch(Arena *arena, const char *beside, char **ret_path, Error *err);

// The names in a folder, sorted by byte, without "." and "..". In the arena.
MUST_CHECK Status folder_list(Arena *arena, const char *path, char ***ret_names, size_t *ret_count, Error *err);

// Removes every half-written file and staged folder of this process: for signal and exit paths. Async-signal-safe.
void file_discard_all(void);

// For a process that has just been forked: what is half-written then is its parent's to finish or to remove.
void file_disown_all(void);
