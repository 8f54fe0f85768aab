// SPDX-License-Identifier: Apache-2.0
// Hashes names, sizes and both ends of a model's files, or all of them.
#include "measure/model_mark.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"

enum { END_BYTES = 1 << 16 };

static Status add_file(Arena *arena, const char *path, bool whole, Sha256 *hash, Error *err) {
    Bytes bytes;
    TRY(file_map(arena, path, &bytes, err));
    const char *name = path_name(path);
    uint64_t size = bytes.size;
    size_t end = bytes.size < END_BYTES ? bytes.size : END_BYTES;
    sha256_add(hash, name, strlen(name) + 1);
    sha256_add(hash, &size, sizeof size);
    if (whole) {
        sha256_add(hash, bytes.data, bytes.size);
        return OK;
    }
    sha256_add(hash, bytes.data, end);
    sha256_add(hash, bytes.data + bytes.size - end, end);
    return OK;
}

static Status files_hash(Arena *arena, const char *path, bool whole, char ret_text[SHA256_TEXT_BYTES], Error *err) {
    Sha256 hash;
    sha256_init(&hash);
    if (path_kind(path) == PATH_FOLDER) {
        char **names;
        size_t count;
        TRY(folder_list(arena, path, &names, &count, err));
        for (size_t i = 0; i < count; i++) {
            char *file = path_join(arena, path, names[i], err);
            TRY_NEW(file);
            if (path_kind(file) == PATH_FILE)
                TRY(add_file(arena, file, whole, &hash, err));
        }
    } else {
        TRY(add_file(arena, path, whole, &hash, err));
    }
    sha256_text(&hash, ret_text);
    return OK;
}

Status model_mark(Arena *arena, const char *path, char ret_mark[MODEL_MARK_BYTES], Error *err) {
    char text[SHA256_TEXT_BYTES];
    TRY(files_hash(arena, path, false, text, err));
    snprintf(ret_mark, MODEL_MARK_BYTES, "%.16s", text);
    return OK;
}

Status model_digest(Arena *arena, const char *path, char ret_digest[SHA256_TEXT_BYTES], Error *err) {
    return files_hash(arena, path, true, ret_digest, err);
}
