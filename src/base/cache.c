// SPDX-License-Identifier: Apache-2.0
// Where the cache lies, by the XDG Base Directory Specification: a relative path in the variable counts as none.
#include "base/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// Makes every folder of an absolute path but the last part, which is a file's name.
static Status folders_make(char *path, Error *err) {
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int failed = mkdir(path, 0700) != 0 && errno != EEXIST ? errno : 0;
        if (failed)
            return FAIL(err, ERR_IO, "folder '%s' cannot be made: %s", path, strerror(failed));
        *slash = '/';
    }
    return OK;
}

Status cache_path(Arena *arena, const char *name, char **ret_path, Error *err) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *path;
    if (cache && cache[0] == '/')
        path = arena_format(arena, err, "%s/hone/%s", cache, name);
    else if (home && home[0] == '/')
        path = arena_format(arena, err, "%s/.cache/hone/%s", home, name);
    else
        return FAIL(err, ERR_IO, "neither XDG_CACHE_HOME nor HOME names a folder, so there is no cache");
    TRY_NEW(path);
    TRY(folders_make(path, err));
    *ret_path = path;
    return OK;
}
