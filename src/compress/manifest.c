// SPDX-License-Identifier: Apache-2.0
// Writing and reading hone.json.
#include "compress/manifest.h"

#include <string.h>

#include "arch/shapes.h"
#include "base/buffer.h"
#include "base/json.h"

enum { HASH_PIECE = 1 << 22 };

void file_record_fill(const char *name, Bytes mapped, WorkMeter *meter, FileRecord *ret_record) {
    Sha256 hash;
    sha256_init(&hash);
    for (size_t at = 0; at < mapped.size; at += HASH_PIECE) {
        size_t bytes = mapped.size - at < HASH_PIECE ? mapped.size - at : HASH_PIECE;
        sha256_add(&hash, mapped.data + at, bytes);
        file_forget(mapped.data + at, bytes);
        if (meter)
            meter_add(meter, bytes);
    }
    ret_record->name = name;
    ret_record->bytes = mapped.size;
    sha256_text(&hash, ret_record->sha256);
}

static void add_text(Buffer *out, const char *text) {
    buffer_add_json(out, text, strlen(text));
}

static void add_files(Buffer *out, const FileRecords *files, const char *indent) {
    buffer_add_char(out, '[');
    for (size_t i = 0; i < files->count; i++) {
        const FileRecord *file = &files->items[i];
        buffer_format(out, "%s\n%s  {\"name\": ", i ? "," : "", indent);
        add_text(out, file->name);
        buffer_format(out, ", \"bytes\": %zu, \"sha256\": \"%s\"}", file->bytes, file->sha256);
    }
    buffer_format(out, "\n%s]", indent);
}

static void add_tensors(Buffer *out, const WeightList *list) {
    buffer_add_text(out, "  \"tensors\": {");
    for (size_t i = 0; i < list->count; i++) {
        buffer_add_text(out, i ? ",\n    " : "\n    ");
        add_text(out, list->items[i].name);
        buffer_format(out, ": {\"scheme\": \"%s\", \"bytes\": %zu}", weight_scheme(&list->items[i]),
                      list->items[i].bytes);
    }
    buffer_add_text(out, "\n  },\n  \"notes\": [");
    for (size_t i = 0; i < list->notes.count; i++) {
        buffer_add_text(out, i ? ",\n    " : "\n    ");
        add_text(out, list->notes.texts[i]);
    }
    buffer_add_text(out, list->notes.count ? "\n  ],\n" : "],\n");
}

Status manifest_write(Arena *arena, const char *folder, const Rewrite *rewrite, const FileRecords *sources,
                      const FileRecords *files, const RewriteReport *report, Error *err) {
    char *path = path_join(arena, folder, "hone.json", err);
    TRY_NEW(path);
    Buffer out = {0};
    buffer_add_text(&out, "{\n  \"hone\": \"" HONE_VERSION "\",\n");
    buffer_format(&out, "  \"recipe\": %s,\n", rewrite->recipe);
    buffer_add_text(&out, "  \"source\": {\n    \"files\": ");
    add_files(&out, sources, "    ");
    buffer_add_text(&out, "\n  },\n  \"files\": ");
    add_files(&out, files, "  ");
    buffer_format(&out, ",\n  \"original_bytes\": %zu,\n  \"%s\": %zu,\n", report->original_bytes, rewrite->size,
                  report->written_bytes);
    add_tensors(&out, &report->weights);
    const LayerShapes *shapes = rewrite->shapes ? rewrite->shapes : &model_info(rewrite->model)->shapes;
    if (shapes->ragged) {
        buffer_add_text(&out, "  \"shapes\": ");
        shapes_print(shapes, &out);
        buffer_add_text(&out, ",\n");
    }
    buffer_add_text(&out, "  \"loaders\": {");
    for (size_t i = 0; i < LOADER_COUNT; i++)
        buffer_format(&out, "%s\"%s\": %s", i ? ", " : "", report->loaders[i].name,
                      report->loaders[i].takes ? "true" : "false");
    buffer_add_text(&out, "}\n}\n");
    Status status = buffer_status(&out, err);
    if (status == OK)
        status = file_replace(path, out.data, out.bytes, err);
    buffer_done(&out);
    return status;
}

static Status record_read(const json_t *row, const char *name, FileRecord *ret_record, Error *err) {
    const char *file = NULL, *sha256 = NULL;
    int64_t bytes = -1;
    if (!json_is_object(row))
        return FAIL(err, ERR_FORMAT, "%s: 'files' holds something that is no object", name);
    TRY(json_get_text(row, name, "name", &file, err));
    TRY(json_get_text(row, name, "sha256", &sha256, err));
    TRY(json_get_int(row, name, "bytes", 0, INT64_MAX, &bytes, err));
    if (!file || !sha256 || bytes < 0 || strlen(sha256) + 1 != SHA256_TEXT_BYTES)
        return FAIL(err, ERR_FORMAT, "%s: a member of 'files' lacks 'name', 'bytes' or a 'sha256' of 64 digits", name);
    if (!*file || strchr(file, '/') || strcmp(file, "..") == 0)
        return FAIL(err, ERR_FORMAT, "%s: '%s' is no name of a file in this folder", name, file);
    ret_record->name = file;
    ret_record->bytes = (size_t)bytes;
    memcpy(ret_record->sha256, sha256, SHA256_TEXT_BYTES);
    return OK;
}

static const json_t *member(const json_t *manifest, const char *key) {
    const json_t *value = json_object_get(manifest, key);
    return json_is_null(value) ? NULL : value;
}

Status manifest_read(Arena *arena, const char *folder, Manifest *ret_manifest, Error *err) {
    char *path = path_join(arena, folder, "hone.json", err);
    TRY_NEW(path);
    json_t *manifest;
    TRY(json_read(arena, path, true, &manifest, err));
    FileRecords files = {0};
    if (manifest) {
        char *name = arena_format(arena, err, "file '%s'", path);
        TRY_NEW(name);
        const json_t *rows = json_object_get(manifest, "files");
        if (!json_is_array(rows))
            return FAIL(err, ERR_FORMAT, "%s has no list 'files'", name);
        TRY_NEW(files.items = arena_array(arena, json_array_size(rows), sizeof *files.items, err));
        for (; files.count < json_array_size(rows); files.count++)
            TRY(record_read(json_array_get(rows, files.count), name, &files.items[files.count], err));
    }
    *ret_manifest = (Manifest){.there = manifest != NULL,
                               .files = files,
                               .recipe = member(manifest, "recipe"),
                               .runtime = member(manifest, "runtime"),
                               .evidence = member(manifest, "evidence")};
    return OK;
}

static Status object_parse(Arena *arena, const char *text, json_t **ret_object, Error *err) {
    return json_parse(arena, "hone.json", (Bytes){(const unsigned char *)text, strlen(text)}, false, ret_object, err);
}

static json_t *sources_json(const FileRecords *sources) {
    json_t *files = json_array();
    for (size_t i = 0; i < sources->count; i++) {
        const FileRecord *file = &sources->items[i];
        json_array_append_new(files, json_pack("{s:s, s:I, s:s}", "name", file->name, "bytes", (json_int_t)file->bytes,
                                               "sha256", file->sha256));
    }
    return json_pack("{s:o}", "files", files);
}

static const char *weights_sha256(const json_t *manifest) {
    const json_t *files = json_object_get(manifest, "files");
    for (size_t i = 0; i < json_array_size(files); i++) {
        const json_t *file = json_array_get(files, i);
        const char *name = json_string_value(json_object_get(file, "name"));
        if (name && strcmp(name, "model.safetensors") == 0)
            return json_string_value(json_object_get(file, "sha256"));
    }
    return NULL;
}

Status manifest_retell(Arena *arena, const char *folder, const ManifestOutcome *outcome, Error *err) {
    char *path = path_join(arena, folder, "hone.json", err);
    TRY_NEW(path);
    json_t *manifest, *recipe, *runtime;
    TRY(json_read(arena, path, false, &manifest, err));
    TRY(object_parse(arena, outcome->recipe, &recipe, err));
    TRY(object_parse(arena, outcome->runtime, &runtime, err));
    const char *weights = weights_sha256(manifest);
    bool good = json_object_set(manifest, "recipe", recipe) == 0 &&
                json_object_set_new(manifest, "source", sources_json(outcome->sources)) == 0 &&
                json_object_set_new(manifest, "original_bytes", json_integer((json_int_t)outcome->original_bytes)) == 0;
    if (json_object_size(runtime))
        good &= json_object_set(manifest, "runtime", runtime) == 0;
    good &= !weights || json_object_set_new(outcome->evidence, "weights_sha256", json_string(weights)) == 0;
    good &= json_object_set(manifest, "evidence", outcome->evidence) == 0;
    if (!good)
        return FAIL(err, ERR_MEMORY, "no memory for '%s'", path);
    Buffer out = {0};
    json_print(manifest, JSON_INDENT(2), &out);
    buffer_add_char(&out, '\n');
    Status status = buffer_status(&out, err);
    if (status == OK)
        status = file_replace(path, out.data, out.bytes, err);
    buffer_done(&out);
    return status;
}
