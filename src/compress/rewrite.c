// SPDX-License-Identifier: Apache-2.0
// The folder: stage, check values, write weights, settings, copies and hone.json, put in place.
#include "compress/rewrite.h"

#include <string.h>

#include "compress/manifest.h"

typedef struct Work {
    Arena *arena;
    const Rewrite *rewrite;
    const ModelInfo *info;
    WorkMeter meter;
    char *staging;
    char **names; // in the source's folder
    size_t name_count;
    FileRecords sources, files;
    RewriteReport report;
} Work;

static bool ends_with(const char *text, const char *ending) {
    size_t length = strlen(text), tail = strlen(ending);
    return length > tail && strcmp(text + length - tail, ending) == 0;
}

bool rewrite_copies(const char *name) {
    static const char *const endings[] = {".json", ".txt", ".model", ".spm", ".jinja"};
    if (strcmp(name, "config.json") == 0 || strcmp(name, "hone.json") == 0 || ends_with(name, ".index.json"))
        return false;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (ends_with(name, endings[i]))
            return true;
    return false;
}

// What lies on disk now is what hone.json will tell of.
static Status file_record(Work *w, const char *name, const char *path, size_t *ret_bytes, Error *err) {
    Bytes written;
    TRY(file_map(w->arena, path, &written, err));
    file_record_fill(name, written, NULL, &w->files.items[w->files.count++]);
    *ret_bytes = written.size;
    return OK;
}

static Status file_put(Work *w, const char *name, Bytes bytes, Error *err) {
    char *path = path_join(w->arena, w->staging, name, err);
    TRY_NEW(path);
    TRY(file_replace(path, bytes.data, bytes.size, err));
    return file_record(w, name, path, &bytes.size, err);
}

static const TrimmedFile *file_given(const Work *w, const char *name) {
    for (size_t i = 0; i < w->rewrite->file_count; i++)
        if (strcmp(w->rewrite->files[i].name, name) == 0)
            return &w->rewrite->files[i];
    return NULL;
}

static Status companions_copy(Work *w, Error *err) {
    for (size_t i = 0; i < w->name_count; i++) {
        if (!rewrite_copies(w->names[i]))
            continue;
        char *path = path_join(w->arena, w->info->folder, w->names[i], err);
        TRY_NEW(path);
        const TrimmedFile *given = file_given(w, w->names[i]);
        if (path_kind(path) != PATH_FILE || (given && given->left_out))
            continue;
        Bytes bytes;
        if (given)
            bytes = given->text;
        else
            TRY(file_map(w->arena, path, &bytes, err));
        TRY(file_put(w, w->names[i], bytes, err));
    }
    return OK;
}

static Status config_put(Work *w, Bytes source, Error *err) {
    char *name = arena_format(w->arena, err, "file '%s/config.json'", w->info->folder);
    TRY_NEW(name);
    const TrimmedFile *given = file_given(w, "config.json");
    Bytes text = given ? given->text : source;
    TRY(config_text_make(w->arena, name, text, &w->report.weights, w->rewrite->scheme, &text, err));
    for (size_t i = 0; i < w->rewrite->edit_count; i++)
        TRY(config_text_edit(w->arena, &w->rewrite->edits[i], &text, err));
    return file_put(w, "config.json", text, err);
}

static Status weights_put(Work *w, Error *err) {
    char *path = path_join(w->arena, w->staging, "model.safetensors", err);
    TRY_NEW(path);
    TRY(weights_write(w->arena, w->info, path, &w->report.weights, &w->meter, err));
    return file_record(w, "model.safetensors", path, &w->report.written_bytes, err);
}

static Status folder_fill(Work *w, Bytes config, Error *err) {
    TRY(weights_scan(w->arena, w->info, &w->report.weights, &w->meter, err));
    TRY(config_put(w, config, err));
    TRY(companions_copy(w, err));
    TRY(weights_put(w, err));
    WeightForm form = config_form(&w->report.weights);
    form.ragged = (w->rewrite->shapes ? w->rewrite->shapes : &w->info->shapes)->ragged;
    loaders_judge(form, w->report.loaders);
    for (size_t i = 0; i < w->info->file_count; i++)
        file_record_fill(path_name(w->info->files[i]), w->info->contents[i], &w->meter,
                         &w->sources.items[w->sources.count++]);
    file_record_fill("config.json", config, NULL, &w->sources.items[w->sources.count++]);
    return manifest_write(w->arena, w->staging, w->rewrite, &w->sources, &w->files, &w->report, err);
}

static Status work_prepare(Work *w, Bytes *ret_config, Error *err) {
    const ModelInfo *info = w->info;
    char *path = path_join(w->arena, info->folder, "config.json", err);
    TRY_NEW(path);
    TRY(file_map(w->arena, path, ret_config, err));
    TRY(folder_list(w->arena, info->folder, &w->names, &w->name_count, err));
    TRY_NEW(w->files.items = arena_array(w->arena, w->name_count + 2, sizeof *w->files.items, err));
    TRY_NEW(w->sources.items = arena_array(w->arena, info->file_count + 1, sizeof *w->sources.items, err));
    w->report.original_bytes = info->weight_bytes;
    w->meter = w->rewrite->meter;
    w->meter.total = 3 * (uint64_t)info->weight_bytes; // scanned, written, hashed
    return OK;
}

Status rewrite_model(Arena *arena, const Rewrite *rewrite, const char *output, RewriteReport *ret_report, Error *err) {
    Work w = {.arena = arena, .rewrite = rewrite, .info = model_info(rewrite->model)};
    if (w.info->sparse_tensors)
        return FAIL(err, ERR_UNSUPPORTED, "model '%s' keeps its zeros as bitmaps: give the model it was made from",
                    w.info->path);
    w.report.weights = rewrite->weights;
    Bytes config;
    TRY(work_prepare(&w, &config, err));
    TRY(folder_stage(arena, output, true, &w.staging, err));
    Status status = folder_fill(&w, config, err);
    if (status == OK && rewrite->check)
        status = rewrite->check(rewrite->check_context, w.staging, err);
    if (status == OK)
        status = folder_commit(w.staging, output, err);
    if (status != OK) {
        folder_discard(w.staging);
        return status;
    }
    *ret_report = w.report;
    return OK;
}
