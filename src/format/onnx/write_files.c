// SPDX-License-Identifier: Apache-2.0
// Models and their external data on the way to their places. A model names its data, and only one of the two can be
// renamed at a time: so data never takes the place of other data that a model may read. It goes to a name that is free,
// the models follow, and what they read before leaves last, unless other models of the folder read it too.
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

// Whether a model has an entry {key: "location", value: the name}, as every library writes it.
static bool model_reads(Bytes model, const char *name) {
    char entry[16 + 128];
    size_t bytes = strlen(name);
    if (!model.size || bytes > 127) // more than a length of one byte
        return false;
    int used = snprintf(entry, sizeof entry, "\n\blocation\x12%c%s", (int)bytes, name);
    return used > 0 && memmem(model.data, model.size, entry, (size_t)used);
}

// Whether the name stands anywhere in a model, which then may read that data. Protocol buffers never go on with '_'
// behind a text: that is a longer name.
static bool model_mentions(Bytes model, const char *name) {
    const unsigned char *at = model.data, *end = at + model.size;
    size_t bytes = strlen(name);
    while (at && (at = memmem(at, (size_t)(end - at), name, bytes)) && at + bytes < end && at[bytes] == '_')
        at += bytes;
    return at != NULL;
}

enum { MOST_LOOKED_INTO = 256 }; // models
static const size_t most_looked_bytes = (size_t)1 << 30;

// The models that are there before any is written.
typedef struct Before {
    Bytes *replaced; // [parts]
    Bytes *others;   // of the folder
    size_t other_count, other_bytes;
    bool doubt; // others that could not be looked into: they may read anything
} Before;

static Status other_map(Arena *arena, const char *path, Before *before, Error *err) {
    if (before->other_count == MOST_LOOKED_INTO || before->other_bytes > most_looked_bytes) {
        before->doubt = true;
        return OK;
    }
    Bytes *other = &before->others[before->other_count];
    Status status = file_map(arena, path, other, err);
    before->doubt |= status == ERR_IO; // somebody else's
    if (status != OK)
        return status == ERR_IO ? OK : status;
    before->other_count++;
    before->other_bytes += other->size;
    before->doubt |= before->other_bytes > most_looked_bytes;
    return OK;
}

static bool is_part(const OnnxPart *parts, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(path_name(parts[i].path), name) == 0)
            return true;
    return false;
}

static Status others_map(Arena *arena, const OnnxPart *parts, size_t count, Before *before, Error *err) {
    char **names;
    size_t name_count, folder_bytes = (size_t)(path_name(parts->path) - parts->path);
    const char *folder = folder_bytes ? arena_copy_text(arena, parts->path, folder_bytes, err) : ".";
    TRY_NEW(folder);
    TRY(folder_list(arena, folder, &names, &name_count, err));
    TRY_NEW(before->others = arena_array(arena, MOST_LOOKED_INTO, sizeof *before->others, err));
    for (size_t i = 0; i < name_count; i++) {
        size_t bytes = strlen(names[i]);
        if (bytes < 5 || strcmp(names[i] + bytes - 5, ".onnx") != 0 || is_part(parts, count, names[i]))
            continue;
        const char *path = path_join(arena, folder, names[i], err);
        TRY_NEW(path);
        if (path_kind(path) == PATH_FILE)
            TRY(other_map(arena, path, before, err));
    }
    return OK;
}

static Status before_look(Arena *arena, const OnnxPart *parts, size_t count, Before *before, Error *err) {
    TRY_NEW(before->replaced = arena_array(arena, count, sizeof *before->replaced, err));
    for (size_t i = 0; i < count; i++)
        if (path_kind(parts[i].path) == PATH_FILE)
            TRY(file_map(arena, parts[i].path, &before->replaced[i], err));
    return others_map(arena, parts, count, before, err);
}

// Data that models read which are replaced, and no other model.
static bool is_left(const Before *before, size_t count, const char *name) {
    bool read = false, read_elsewhere = before->doubt;
    for (size_t i = 0; i < count && !read; i++)
        read = before->replaced[i].size <= most_looked_bytes && model_reads(before->replaced[i], name);
    for (size_t i = 0; i < before->other_count && read && !read_elsewhere; i++) {
        read_elsewhere = model_mentions(before->others[i], name);
        file_forget(before->others[i].data, before->others[i].size);
    }
    return read && !read_elsewhere;
}

static Status left_find(Arena *arena, const OnnxPart *parts, size_t count, const char *wish, OnnxPlace *place,
                        Error *err) {
    char name[PATH_MAX];
    Before before = {0};
    TRY_NEW(place->left = arena_array(arena, MOST_NAMES, sizeof *place->left, err));
    for (size_t i = 0; i < MOST_NAMES; i++) {
        name_of(wish, i, name);
        if (strcmp(name, place->data_path) == 0 || path_kind(name) != PATH_FILE)
            continue;
        if (!before.replaced)
            TRY(before_look(arena, parts, count, &before, err));
        if (is_left(&before, count, path_name(name)))
            TRY_NEW(place->left[place->left_count++] = arena_copy_text(arena, name, strlen(name), err));
    }
    return OK;
}

Status write_place(Arena *arena, const OnnxPart *parts, size_t count, const OnnxData *data, const char *wish,
                   OnnxPlace *ret_place, Error *err) {
    char name[PATH_MAX];
    if (strlen(wish) + 4 >= sizeof name)
        return FAIL(err, ERR_USAGE, "the path '%.40s...' is too long", wish);
    for (size_t i = 0; i < MOST_NAMES; i++) {
        bool free, kept;
        name_of(wish, i, name);
        TRY(place_look(arena, data, name, &free, &kept, err));
        if (!free && !kept)
            continue;
        *ret_place = (OnnxPlace){.kept = kept};
        TRY_NEW(ret_place->data_path = arena_copy_text(arena, name, strlen(name), err));
        return left_find(arena, parts, count, wish, ret_place, err);
    }
    return FAIL(err, ERR_USAGE, "'%s' and %d names after it are taken: external data has no place", wish,
                MOST_NAMES - 1);
}

void write_place_clear(const OnnxPlace *place) {
    for (size_t i = 0; i < place->left_count; i++)
        file_remove(place->left[i]);
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
