// SPDX-License-Identifier: Apache-2.0
// The golden files of the measure room: tests/measure/golden, made by tools/goldens/measure/rouge.py.
#pragma once

#include "check.h"

#include "base/file.h"
#include "base/json.h"

// A file below the source tree, mapped for the arena's life; fails the test when it is not there.
static inline Bytes source_map(Arena *arena, const char *path) {
    Error err;
    const char *source = getenv("HONE_SOURCE");
    ck_assert_msg(source != NULL, "HONE_SOURCE must name the source folder");
    Bytes bytes = {0};
    char *full = path_join(arena, source, path, &err);
    ck_assert_ptr_nonnull(full);
    CHECK_OK(file_map(arena, full, &bytes, &err));
    return bytes;
}

static inline Bytes golden_map(Arena *arena, const char *name) {
    char path[128];
    snprintf(path, sizeof path, "tests/measure/golden/%s", name);
    return source_map(arena, path);
}

// Takes the next line off `rest` into *ret_line; false at the end.
static inline bool line_next(Bytes *rest, Bytes *ret_line) {
    if (!rest->size)
        return false;
    const unsigned char *end = memchr(rest->data, '\n', rest->size);
    size_t bytes = end ? (size_t)(end - rest->data) : rest->size;
    *ret_line = (Bytes){rest->data, bytes};
    rest->data += bytes + (end != NULL);
    rest->size -= bytes + (end != NULL);
    return true;
}
