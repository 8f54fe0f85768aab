// SPDX-License-Identifier: Apache-2.0
// A folder for one test: made under the system's temporary folder, emptied and removed at the end.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "check.h"

typedef struct Scratch {
    Arena arena;
    char *path;
} Scratch;

static inline Scratch scratch_make(void) {
    Scratch scratch;
    Error err;
    arena_init(&scratch.arena, 0);
    const char *temporary = getenv("TMPDIR");
    scratch.path = arena_format(&scratch.arena, &err, "%s/hone-XXXXXX", temporary ? temporary : "/tmp");
    ck_assert_ptr_nonnull(scratch.path);
    ck_assert_ptr_nonnull(mkdtemp(scratch.path));
    return scratch;
}

static inline char *scratch_path(Scratch *scratch, const char *name) {
    Error err;
    char *path = path_join(&scratch->arena, scratch->path, name, &err);
    ck_assert_ptr_nonnull(path);
    return path;
}

// How many names the folder holds, sub-folders not looked into.
static inline size_t scratch_count(Scratch *scratch) {
    Error err;
    char **names;
    size_t count;
    CHECK_OK(folder_list(&scratch->arena, scratch->path, &names, &count, &err));
    return count;
}

static inline void scratch_done(Scratch *scratch) {
    Error err;
    char **names;
    size_t count;
    CHECK_OK(folder_list(&scratch->arena, scratch->path, &names, &count, &err));
    for (size_t i = 0; i < count; i++) {
        char *path = scratch_path(scratch, names[i]);
        if (path_kind(path) == PATH_FOLDER)
            folder_discard(path);
        else
            unlink(path);
    }
    rmdir(scratch->path);
    arena_done(&scratch->arena);
}
