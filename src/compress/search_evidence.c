// SPDX-License-Identifier: Apache-2.0
// JSON of what was measured, and the answer in a sentence. Members that jansson has no memory for are missed when the
// document is kept: json_print fails then.
#include "compress/search_evidence.h"

#include <math.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/clock.h"

static json_t *number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *interval_json(Interval interval) {
    return json_pack("{s:o, s:o, s:o}", "mean", number(interval.mean), "low", number(interval.low), "high",
                     number(interval.high));
}

static json_t *loss_json(RelativeLoss loss) {
    return json_pack("{s:o, s:o, s:o}", "relative", number(loss.relative), "low", number(loss.low), "high",
                     number(loss.high));
}

static json_t *quality_json(const Quality *quality) {
    json_t *object = json_object();
    for (size_t m = 0; m < quality->metrics; m++)
        json_object_set_new(object, quality->names[m],
                            interval_json(statistics_bootstrap(quality->scores[m], quality->samples, BOOTSTRAP_SEED)));
    return object;
}

static json_t *losses_json(const Quality *quality, const TrialLoss *loss) {
    json_t *object = json_object();
    for (size_t m = 0; m < quality->metrics; m++)
        json_object_set_new(object, quality->names[m], loss_json(loss->metrics[m]));
    json_object_set_new(object, "mean", loss_json(loss->mean));
    return object;
}

static Status describe(Search *search, const Recipe *recipe, char **ret_text, Error *err) {
    Buffer out = {0};
    recipe_describe(recipe, &out);
    Status status = buffer_status(&out, err);
    *ret_text = status == OK ? arena_copy_text(search->arena, out.data, out.bytes, err) : NULL;
    buffer_done(&out);
    return *ret_text ? OK : err->status;
}

static Status row_json(Search *search, const FinalRow *row, const FinalRow *first, json_t *rows, Error *err) {
    char *text;
    TRY(describe(search, &row->recipe, &text, err));
    const LatencySummary *latency = &row->one.latency;
    json_t *object =
        json_pack("{s:s, s:s, s:b, s:{s:f, s:f, s:f, s:f}, s:f, s:f, s:f, s:f, s:o, s:o, s:o, s:s}", "name", row->name,
                  "recipe_text", text, "chosen", row->chosen, "latency_ms", "mean", latency->mean_ms, "p50",
                  latency->p50_ms, "p95", latency->p95_ms, "p99", latency->p99_ms, "samples_per_s",
                  row->many.samples_per_s, "weights_mb", row->one.weights_mb, "peak_rss_mb", row->one.peak_rss_mb,
                  "reduction_percent", 100 * (1 - row->one.weights_mb / first->one.weights_mb), "speedup",
                  interval_json(row->faster), "quality", quality_json(&row->quality), "loss",
                  losses_json(&row->quality, &row->loss), "outputs_sha256", row->quality.outputs_sha256);
    if (row->faster.high < 1)
        json_object_set_new(object, "note", json_string("slower here: no optimization of speed"));
    if (json_array_append_new(rows, object) != 0)
        return FAIL(err, ERR_MEMORY, "no memory for the report");
    return OK;
}

static json_t *waterfall_json(const FinalRow *stages, size_t count) {
    json_t *bars = json_array();
    for (size_t i = 0; i < count; i++) {
        const Speed *speed = &stages[i].one;
        Interval interval = statistics_mean_interval(speed->calls_ms, speed->calls, BOOTSTRAP_SEED);
        double per_sample = speed->ms_per_sample / interval.mean;
        json_array_append_new(bars, json_pack("{s:s, s:f, s:o, s:o}", "label", stages[i].name, "ms",
                                              speed->ms_per_sample, "low", number(interval.low * per_sample), "high",
                                              number(interval.high * per_sample)));
    }
    return bars;
}

// Samples whose outputs differ first: they are what a reader wants to see.
static json_t *samples_json(const Search *search, const Quality *original, const Quality *chosen, size_t shown) {
    const DataSet *data = &search->split.parts[SPLIT_FINAL];
    json_t *samples = json_array();
    for (int differing = 1; differing >= 0 && original->texts && !data->labelled; differing--)
        for (size_t i = 0; i < original->samples && json_array_size(samples) < shown; i++) {
            const DataRow *row = &data->rows[i];
            if ((strcmp(original->texts[i], chosen->texts[i]) != 0) != differing)
                continue;
            json_array_append_new(samples,
                                  json_pack("{s:s%, s:s%, s:s, s:s}", "source", row->source, row->source_bytes,
                                            "reference", (const char *)row->references[0].data, row->references[0].size,
                                            "original", original->texts[i], "chosen", chosen->texts[i]));
        }
    return samples;
}

static void json_release(void *value) {
    json_decref(value);
}

Status evidence_measured(Search *search, const FinalRow *rows, size_t count, const FinalRow *stages, size_t stage_count,
                         size_t shown, json_t **ret_measured, Error *err) {
    json_t *table = json_array();
    json_t *measured = json_pack("{s:o, s:o, s:o}", "rows", table, "waterfall", waterfall_json(stages, stage_count),
                                 "samples", samples_json(search, &rows[0].quality, &rows[count - 1].quality, shown));
    if (!measured)
        return FAIL(err, ERR_MEMORY, "no memory for the report");
    TRY(arena_on_free(search->arena, json_release, measured, err));
    for (size_t i = 0; i < count; i++)
        TRY(row_json(search, &rows[i], &rows[0], table, err));
    *ret_measured = measured;
    return OK;
}

static json_t *split_json(const Search *search) {
    static const char *const uses[SPLIT_PARTS] = {
        "calibration, scores of neurons and heads, sensitivity, times", "which recipe is taken",
        "the figures of this report; they let candidates through in a fixed order, safest first, until one fails"};
    json_t *parts = json_array();
    for (SplitPart part = 0; part < SPLIT_PARTS; part++)
        json_array_append_new(parts, json_pack("{s:s, s:I, s:s, s:s}", "name", split_part_name(part), "rows",
                                               (json_int_t)search->split.parts[part].count, "use", uses[part], "sha256",
                                               search->split.sha256[part]));
    return parts;
}

static json_t *frontier_json(const Search *search) {
    json_t *points = json_array();
    for (size_t i = 0; i < search->count; i++) {
        const Candidate *candidate = &search->items[i];
        if (candidate->tried)
            json_array_append_new(points, json_pack("{s:s, s:o, s:o, s:f, s:b, s:b}", "recipe_text", candidate->text,
                                                    "loss", loss_json(candidate->loss.mean), "ms",
                                                    number(candidate->ms), "mb", candidate->bytes / 1e6, "within",
                                                    candidate->within, "chosen", candidate == search->best));
    }
    return points;
}

static json_t *machine_json(const Search *search) {
    char name[128];
    struct utsname system = {0};
    cpu_name(name, sizeof name);
    uname(&system);
    return json_pack("{s:s, s:i, s:s, s:i, s:s%}", "cpu", name, "cores", cpu_cores(), "level",
                     cpu_level_name(search->options->level), "threads", search->options->threads, "system",
                     system.sysname, strlen(system.sysname));
}

static double original_bytes(const Search *search, const char *name) {
    const Bundle *bundle = model_tensors(search->model);
    for (size_t i = 0; i < bundle->count; i++)
        if (strcmp(bundle->tensors[i].name, name) == 0 && bundle->tensors[i].shape.rank == 2)
            return (double)bundle->tensors[i].bytes;
    return 0;
}

// Each weight's scheme, from what its folder tells.
static Status layers_json(Search *search, const char *folder, json_t **ret_layers, Error *err) {
    char *path = path_join(search->arena, folder, "hone.json", err);
    TRY_NEW(path);
    json_t *manifest, *tensor;
    const char *name;
    TRY(json_read(search->arena, path, false, &manifest, err));
    json_t *layers = json_array();
    json_object_foreach(json_object_get(manifest, "tensors"), name, tensor) {
        double original = original_bytes(search, name);
        const char *module = original > 0 ? module_name(search->arena, name, err) : NULL;
        if (module && strncmp(module, "model.", 6) == 0) // as sensitivity calls them
            module += 6;
        if (module)
            json_array_append_new(layers, json_pack("{s:s, s:O, s:f, s:f}", "name", module, "scheme",
                                                    json_object_get(tensor, "scheme"), "original_mb", original / 1e6,
                                                    "mb", json_number_value(json_object_get(tensor, "bytes")) / 1e6));
    }
    *ret_layers = layers;
    return OK;
}

static json_t *phases_json(const Search *search) {
    json_t *phases = json_array();
    for (size_t i = 0; i < search->phase_count; i++)
        json_array_append_new(
            phases, json_pack("{s:s, s:f}", "name", search->phases[i].name, "seconds", search->phases[i].seconds));
    return phases;
}

static double member(const json_t *object, const char *a, const char *b) {
    const json_t *value = json_object_get(json_object_get(object, a), b);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

// Rows that an interval needs for its upper end to come down to the budget, all else equal.
static double rows_needed(size_t rows, double loss, double high, double budget) {
    double ratio = (high - loss) / (budget - loss);
    return ceil((double)rows * ratio * ratio);
}

static Status answer_say(Search *search, const json_t *row, SearchAnswer *answer, Error *err) {
    double budget = search->options->max_loss;
    const json_t *loss = json_object_get(row, "loss");
    double relative = member(loss, "mean", "relative"), low = member(loss, "mean", "low"),
           high = member(loss, "mean", "high");
    size_t rows = search->split.parts[SPLIT_FINAL].count;
    char *verdict;
    bool changed = search->best != search->original;
    answer->met = changed && high <= budget;
    if (!changed)
        TRY_NEW(verdict = arena_format(search->arena, err, "no recipe was tried before a limit was reached"));
    else if (answer->met)
        TRY_NEW(verdict = arena_format(search->arena, err, "within the budget of %.3g %%", 100 * budget));
    else if (relative < budget)
        TRY_NEW(verdict =
                    arena_format(search->arena, err,
                                 "too few to show that this is within the budget of %.3g %%, which some %.0f would be",
                                 100 * budget, rows_needed(rows, relative, high, budget)));
    else
        TRY_NEW(verdict = arena_format(search->arena, err, "beyond the budget of %.3g %%, and nothing better was found",
                                       100 * budget));
    TRY_NEW(answer->sentence = arena_format(
                search->arena, err,
                "%.2f times as fast as the original [%.2f, %.2f] and %.1f %% smaller; it loses %.2f %% [%.2f, %.2f] on "
                "%zu final rows: %s",
                member(row, "speedup", "mean"), member(row, "speedup", "low"), member(row, "speedup", "high"),
                json_number_value(json_object_get(row, "reduction_percent")), 100 * relative, 100 * low, 100 * high,
                rows, verdict));
    return OK;
}

static json_t *metrics_json(const Search *search) {
    json_t *names = json_array();
    for (size_t m = 0; m < search->original->quality.metrics; m++)
        json_array_append_new(names, json_string(search->original->quality.names[m]));
    return names;
}

static json_t *model_json(const Search *search) {
    const ModelInfo *info = search->info;
    return json_pack("{s:s, s:s, s:I, s:f, s:s}", "name", path_name(info->path), "family", info->family, "parameters",
                     (json_int_t)info->parameters, "weights_mb", (double)info->weight_bytes / 1e6, "sha256",
                     search->model_sha256);
}

Status evidence_make(Search *search, const FinalRow *chosen, const char *folder, json_t *measured,
                     SearchAnswer *ret_answer, Error *err) {
    const SearchOptions *o = search->options;
    const json_t *rows = json_object_get(measured, "rows");
    SearchAnswer answer;
    char *text, *recipe;
    json_t *layers = NULL, *recipe_json;
    TRY(answer_say(search, json_array_get(rows, json_array_size(rows) - 1), &answer, err));
    TRY(describe(search, &chosen->recipe, &text, err));
    TRY(search_recipe_text(search, &chosen->recipe, RECIPE_ALL, &recipe, err));
    TRY(json_parse(search->arena, "recipe", (Bytes){(const unsigned char *)recipe, strlen(recipe)}, false, &recipe_json,
                   err));
    TRY(layers_json(search, folder, &layers, err));
    json_t *document =
        json_pack("{s:s, s:s, s:I, s:s, s:f, s:f, s:I, s:s, s:o, s:{s:s, s:s, s:I, s:o}, s:o}", "hone", HONE_VERSION,
                  "command", o->command, "seed", (json_int_t)o->seed, "goal", search_goal_name(o->goal), "budget",
                  o->max_loss, "seconds", (double)(clock_ns() - search->started_ns) * 1e-9, "evaluations",
                  (json_int_t)search->tried, "generation", o->generation_text, "model", model_json(search), "data",
                  "name", path_name(o->data), "sha256", search->split.data_sha256, "rows",
                  (json_int_t)search->split.rows, "split", split_json(search), "machine", machine_json(search));
    if (!document)
        return FAIL(err, ERR_MEMORY, "no memory for the report");
    TRY(arena_on_free(search->arena, json_release, document, err));
    json_object_set_new(document, "answer",
                        json_pack("{s:b, s:s, s:O, s:s, s:s}", "met", answer.met, "sentence", answer.sentence, "recipe",
                                  recipe_json, "recipe_text", text, "output", path_name(o->output)));
    json_object_set_new(document, "metrics", metrics_json(search));
    json_object_set(document, "rows", json_object_get(measured, "rows"));
    json_object_set_new(document, "frontier", frontier_json(search));
    json_object_set_new(document, "sensitivity", sensitivity_json(&search->sensitivity));
    json_object_set_new(document, "layers", layers);
    json_object_set(document, "waterfall", json_object_get(measured, "waterfall"));
    json_object_set(document, "samples", json_object_get(measured, "samples"));
    json_object_set_new(document, "phases", phases_json(search));
    answer.evidence = document;
    *ret_answer = answer;
    return OK;
}
