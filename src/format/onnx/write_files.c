// SPDX-License-Identifier: Apache-2.0
// Models and their external data on the way to their places. A model names its data, and only one of the two can be
// renamed at a time: so data never takes the place of other data that a model may read. It goes to a name that is free,
// the models follow, and what they read before leaves last.
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "format/onnx/writer.h"

enum { MOST_NAMES = 100 }; // beside one model; two are used in turns, more where somebody was killed

static void name_of(const char *wish, size_t number, char ret_name[PATH_MAX]) {
    if (number)
        snprintf(ret_name, PATH_MAX, "%s_%zu", wish, number);
    else
        snprintf(ret_name, PATH_MAX, "%s", wish);
}

// Whether the file there, if any, holds this data.
static Status place_look(Arena *arena, const OnnxData *data, const char *path, bool *ret_free, bool *ret_kept,
                         Error *err) {
    PathKind kind = path_kind(path);
    Bytes file;
    *ret_free = kind == PATH_NONE;
    *ret_kept = false;
    if (kind != PATH_FILE)
        return OK;
    TRY(file_map(arena, path, &file, err));
    *ret_kept = write_data_equal(data, file);
    return OK;
}

Status write_place(Arena *arena, const OnnxData *data, const char *wish, OnnxPlace *ret_place, Error *err) {
    char name[PATH_MAX];
    if (strlen(wish) + 4 >= sizeof name)
        return FAIL(err, ERR_USAGE, "the path '%.40s...' is too long", wish);
    for (size_t i = 0; i < MOST_NAMES; i++) {
        bool free, kept;
        name_of(wish, i, name);
        TRY(place_look(arena, data, name, &free, &kept, err));
        if (!free && !kept)
            continue;
        TRY_NEW(ret_place->data_path = arena_copy_text(arena, name, strlen(name), err));
        ret_place->kept = kept;
        return OK;
    }
    return FAIL(err, ERR_USAGE, "'%s' and %d names after it are taken: external data has no place", wish,
                MOST_NAMES - 1);
}

void write_place_clear(const char *wish, const OnnxPlace *place) {
    char name[PATH_MAX];
    for (size_t i = 0; i < MOST_NAMES; i++) {
        name_of(wish, i, name);
        if (strcmp(name, place->data_path) != 0 && path_kind(name) == PATH_FILE)
            file_remove(name);
    }
}

typedef struct Files {
    FileWriter *data, **models; // NULL: not open, or in its place
    size_t count;
} Files;

static Status files_fill(Files *files, const OnnxWriter *writers, const OnnxPart *parts, const OnnxData *data,
                         const OnnxPlace *place, Error *err) {
    for (size_t i = 0; i < files->count; i++)
        TRY(file_create(parts[i].path, &files->models[i], err));
    if (data && !place->kept) {
        TRY(file_create(place->data_path, &files->data, err));
        TRY(write_data(data, files->data, err));
    }
    for (size_t i = 0; i < files->count; i++)
        TRY(message_write(&writers[i].message, files->models[i], err));
    return OK;
}

static Status file_put(FileWriter **file, Error *err) {
    FileWriter *writer = *file;
    *file = NULL;
    return file_commit(writer, err);
}

// The data first: a model that is there has its data. It stays once a model is there that reads it.
static Status files_put(Files *files, const OnnxPlace *place, Error *err) {
    bool data_is_new = files->data != NULL;
    Status status = data_is_new ? file_put(&files->data, err) : OK;
    if (status != OK)
        return status;
    for (size_t i = 0; i < files->count; i++) {
        status = file_put(&files->models[i], err);
        if (status == OK)
            continue;
        if (i == 0 && data_is_new)
            file_remove(place->data_path);
        return status;
    }
    return OK;
}

Status write_files(const OnnxWriter *writers, const OnnxPart *parts, size_t count, const OnnxData *data,
                   const OnnxPlace *place, Error *err) {
    Files files = {.count = count};
    for (size_t i = 0; i < count; i++)
        if (data && path_kind(parts[i].path) == PATH_OTHER)
            return FAIL(err, ERR_USAGE, "'%s' is no file that external data could lie beside", parts[i].path);
    TRY_NEW(files.models = arena_array(writers->arena, count, sizeof(FileWriter *), err));
    Status status = files_fill(&files, writers, parts, data, place, err);
    if (status == OK)
        status = files_put(&files, place, err);
    for (size_t i = 0; i < count; i++)
        file_discard(files.models[i]);
    file_discard(files.data);
    return status;
}
