// SPDX-License-Identifier: Apache-2.0
// The model card: sizes, and of the evidence in hone.json what fits beside a running server. Members of other types
// than expected are as good as missing: a page that shows less is better than a server that does not start.
#include <string.h>

#include "serve/dashboard.h"

#include "base/json.h"

// The value when it is of the type, else null.
static json_t *get(const json_t *object, const char *key, json_type type) {
    json_t *value = json_object_get(object, key);
    bool good = value && (json_typeof(value) == type || (type == JSON_REAL && json_is_number(value)) ||
                          (type == JSON_TRUE && json_is_boolean(value)));
    return good ? value : NULL;
}

static void put(json_t *to, const char *key, const json_t *from, const char *member, json_type type) {
    json_t *value = get(from, member, type);
    json_object_set(to, key, value ? value : json_null()); // json_object_set(NULL, ...) does nothing
}

// {"mean":..,"low":..,"high":..} as it is.
static void put_interval(json_t *to, const char *key, const json_t *from, const char *member) {
    put(to, key, from, member, JSON_OBJECT);
}

static json_t *row_json(const json_t *row) {
    if (!row)
        return json_null();
    json_t *out = json_object();
    const json_t *latency = get(row, "latency_ms", JSON_OBJECT);
    put(out, "recipe", row, "recipe_text", JSON_STRING);
    put(out, "p50_ms", latency, "p50", JSON_REAL);
    put(out, "p95_ms", latency, "p95", JSON_REAL);
    put(out, "samples_per_s", row, "samples_per_s", JSON_REAL);
    put(out, "weights_mb", row, "weights_mb", JSON_REAL);
    put(out, "peak_rss_mb", row, "peak_rss_mb", JSON_REAL);
    put(out, "reduction_percent", row, "reduction_percent", JSON_REAL);
    put_interval(out, "speedup", row, "speedup");
    return out;
}

static json_t *quality_json(const json_t *evidence, const json_t *original, const json_t *chosen) {
    json_t *out = json_array();
    size_t index;
    json_t *metric;
    json_array_foreach(get(evidence, "metrics", JSON_ARRAY), index, metric) {
        const char *name = json_string_value(metric);
        if (!name)
            continue;
        json_t *item = json_object();
        json_object_set(item, "metric", metric);
        put_interval(item, "original", get(original, "quality", JSON_OBJECT), name);
        put_interval(item, "chosen", get(chosen, "quality", JSON_OBJECT), name);
        put_interval(item, "loss", get(chosen, "loss", JSON_OBJECT), name);
        json_array_append_new(out, item);
    }
    return out;
}

static json_t *evidence_json(const json_t *evidence) {
    if (!evidence)
        return json_null();
    json_t *out = json_object();
    const json_t *answer = get(evidence, "answer", JSON_OBJECT), *data = get(evidence, "data", JSON_OBJECT);
    const json_t *machine = get(evidence, "machine", JSON_OBJECT);
    put(out, "sentence", answer, "sentence", JSON_STRING);
    put(out, "recipe", answer, "recipe_text", JSON_STRING);
    put(out, "met", answer, "met", JSON_TRUE);
    put(out, "goal", evidence, "goal", JSON_STRING);
    put(out, "budget", evidence, "budget", JSON_REAL);
    put(out, "evaluations", evidence, "evaluations", JSON_INTEGER);
    put(out, "data", data, "name", JSON_STRING);
    put(out, "rows", data, "rows", JSON_INTEGER);
    put(out, "cpu", machine, "cpu", JSON_STRING);
    put(out, "cores", machine, "cores", JSON_INTEGER);
    const json_t *original = NULL, *chosen = NULL;
    size_t index;
    json_t *row;
    json_array_foreach(get(evidence, "rows", JSON_ARRAY), index, row) {
        const char *name = json_string_value(json_object_get(row, "name"));
        if (!original && name && strcmp(name, "original") == 0)
            original = row;
        if (!chosen && json_is_true(json_object_get(row, "chosen")))
            chosen = row;
    }
    json_object_set_new(out, "original", row_json(original));
    json_object_set_new(out, "chosen", row_json(chosen));
    json_object_set_new(out, "quality", quality_json(evidence, original, chosen));
    put_interval(out, "loss", get(chosen, "loss", JSON_OBJECT), "mean");
    return out;
}

static json_t *sizes_json(const ModelInfo *info) {
    return json_pack("{s:s?, s:s?, s:I, s:f, s:I, s:I, s:I, s:I, s:I}", "family", info->family, "quantization",
                     info->quantization, "parameters", (json_int_t)info->parameters, "weights_mb",
                     (double)info->weight_bytes / 1e6, "vocabulary", (json_int_t)info->vocabulary, "width",
                     (json_int_t)info->width, "encoder_layers", (json_int_t)info->encoder_layers, "decoder_layers",
                     (json_int_t)info->decoder_layers, "positions", (json_int_t)info->most_positions);
}

// Where the folder lies is not the page's to tell: messages speak of hone.json.
static Status read_manifest(Arena *arena, const char *folder, json_t **ret_manifest, Error *err) {
    Bytes text;
    const char *path = path_join(arena, folder, "hone.json", err);
    TRY_NEW(path);
    if (path_kind(path) == PATH_NONE)
        return OK;
    if (file_map(arena, path, &text, err) != OK)
        return FAIL(err, ERR_IO, "hone.json cannot be read");
    return json_parse(arena, "hone.json", text, true, ret_manifest, err);
}

Status dashboard_card(const ModelInfo *info, Buffer *out, Error *err) {
    Arena arena;
    arena_init(&arena, 0);
    json_t *manifest = NULL, *card = sizes_json(info);
    Error problem = {.message = ""};
    if (read_manifest(&arena, info->folder, &manifest, &problem) == OK)
        problem.message[0] = '\0';
    Buffer runs_with = {0};
    advice_print(&info->advice, &runs_with);
    json_object_set_new(card, "runs_with",
                        advice_is_there(&info->advice) && runs_with.data ? json_string(runs_with.data) : json_null());
    buffer_done(&runs_with);
    put(card, "written_by", manifest, "hone", JSON_STRING);
    put(card, "recipe", manifest, "recipe", JSON_OBJECT);
    json_object_set_new(card, "problem", problem.message[0] ? json_string(problem.message) : json_null());
    json_object_set_new(card, "evidence", evidence_json(get(manifest, "evidence", JSON_OBJECT)));
    size_t before = out->bytes;
    if (card)
        json_print(card, JSON_COMPACT, out);
    json_decref(card);
    arena_done(&arena);
    Status status = buffer_status(out, err);
    return status != OK           ? status
           : out->bytes == before ? FAIL(err, ERR_MEMORY, "no memory for the card of model '%s'", info->path)
                                  : OK;
}
