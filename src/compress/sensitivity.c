// SPDX-License-Identifier: Apache-2.0
// From options to rows; the steps are in sensitivity_sites.c, _times.c, _losses.c and _scores.c, and what changes a
// layer in sensitivity_changes.c.
#include "compress/sensitivity.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "compress/sensitivity_work.h"
#include "compress/source_values.h"

enum { USUAL_SAMPLES = 64, MOST_WRITING = 16 };

static const size_t usual_memory_bytes = (size_t)1 << 30;

static Status check_options(const SensitivityOptions *options, Error *err) {
    for (size_t i = 0; i < options->scheme_count; i++) {
        WeightScheme scheme = options->schemes[i];
        if (scheme < STORE_FP16 || scheme > STORE_NF4)
            return FAIL(err, ERR_USAGE,
                        "--schemes: '%s' cannot be measured layer by layer; fp16, bf16, int8, int4 and "
                        "nf4 can",
                        weight_scheme_name(scheme));
    }
    for (size_t i = 0; i < options->amount_count; i++)
        if (!(options->amounts[i] > 0 && options->amounts[i] < 1))
            return FAIL(err, ERR_USAGE, "--amounts: %g is no share between 0 and 1 of what could go",
                        options->amounts[i]);
    return OK;
}

bool sensing_is_late(const Sensing *sensing) {
    return sensing->options->deadline_ns && clock_ns() > sensing->options->deadline_ns;
}

static Status samples_find(Sensing *sensing, Error *err) {
    const SensitivityOptions *options = sensing->options;
    TRY(token_samples_make(&sensing->scratch, sensing->runtime->model, options->data,
                           options->samples ? options->samples : USUAL_SAMPLES, "data", options->data_name,
                           &sensing->samples, err));
    for (size_t i = 0; i < sensing->samples.count; i++)
        if (!sensing->samples.items[i].label_count)
            return FAIL(err, ERR_FORMAT,
                        "data '%s': sample %zu has no reference, and sensitivity is what references "
                        "lose",
                        options->data_name, i + 1);
    if (sensing->samples.label_tokens < SENSITIVITY_LEAST_TOKENS)
        return FAIL(err, ERR_FORMAT,
                    "data '%s' is too short: its references have %zu tokens in %zu samples, and at least %d are needed",
                    options->data_name, sensing->samples.label_tokens, sensing->samples.count,
                    SENSITIVITY_LEAST_TOKENS);
    sensing->score_rows = options->rouge_samples < options->data->count ? options->rouge_samples : options->data->count;
    return start_token_find(sensing->runtime->model, &sensing->start, err);
}

// Floats of a row that are alive at once, roughly: some values as wide as the model, and twice the widest.
static size_t row_bytes(const SessionModel *model) {
    const Graph *graphs[] = {model->encode, model->decode};
    size_t widest = 0;
    for (size_t g = 0; g < sizeof graphs / sizeof *graphs; g++)
        for (size_t n = 0; n < graphs[g]->node_count; n++)
            for (size_t o = 0; o < graphs[g]->nodes[n]->output_count; o++) {
                const ValueType *type = &graphs[g]->nodes[n]->types[o];
                size_t columns = type->rank == 2 ? (size_t)type->dims[1].value : 1;
                widest = columns > widest ? columns : widest;
            }
    return (8 * model->width + 3 * widest) * sizeof(float);
}

static size_t need_bytes(const SessionModel *model, const ForcedNeed *need) {
    return (need->source_tokens + need->rows) * row_bytes(model) + need->pages * session_page_bytes(model, KV_F32);
}

// As many samples at once as there is room for, one at least.
static Status parts_make(Sensing *sensing, Error *err) {
    const SessionModel *model = model_session(sensing->runtime->model);
    size_t most_bytes = sensing->options->memory_bytes ? sensing->options->memory_bytes : usual_memory_bytes;
    TRY_NEW(sensing->parts = arena_array(&sensing->scratch, sensing->samples.count, sizeof *sensing->parts, err));
    for (size_t i = 0; i < sensing->samples.count; i++) {
        Part *part = sensing->part_count ? &sensing->parts[sensing->part_count - 1] : NULL;
        ForcedNeed need = part ? part->need : (ForcedNeed){0};
        forced_need_add(&need, &sensing->samples.items[i]);
        if (!part || need_bytes(model, &need) > most_bytes) {
            part = &sensing->parts[sensing->part_count++];
            *part = (Part){.first = i};
            forced_need_add(&part->need, &sensing->samples.items[i]);
        } else {
            part->need = need;
        }
        part->count++;
    }
    return OK;
}

Status sensing_start(Sensing *sensing, Error *err) {
    if (sensing->runtime->engine)
        return OK;
    const SessionModel *model = model_session(sensing->runtime->model);
    ForcedNeed most = {0};
    size_t samples = 0;
    for (size_t p = 0; p < sensing->part_count; p++) {
        const Part *part = &sensing->parts[p];
        most.source_tokens =
            part->need.source_tokens > most.source_tokens ? part->need.source_tokens : most.source_tokens;
        most.rows = part->need.rows > most.rows ? part->need.rows : most.rows;
        most.pages = part->need.pages > most.pages ? part->need.pages : most.pages;
        samples = part->count > samples ? part->count : samples;
    }
    size_t writing = sensing->score_rows < MOST_WRITING ? sensing->score_rows : MOST_WRITING;
    // An engine's pages are bounded by what its rows could need, so that there have to be as many as samples besides.
    EngineSettings settings = {.most_requests = writing ? writing : 1,
                               .most_rows = most.rows + samples + FORCED_HEAD_ROWS,
                               .most_source_tokens = most.source_tokens,
                               .kv_bytes = most.pages * session_page_bytes(model, KV_F32),
                               .skips_scores = true};
    return runtime_start(sensing->runtime, &settings, err);
}

Status sensing_recall(Sensing *sensing, const char *key, const Kept *kept, size_t count, bool *ret_found, Error *err) {
    const Evaluations *cache = sensing->options->cache;
    json_t *value = NULL;
    *ret_found = false;
    if (!cache || !cache->path)
        return OK;
    TRY(evaluations_find(cache, &sensing->scratch, "sensitivity", key, &value, err));
    bool whole = json_is_object(value);
    for (size_t i = 0; i < count && whole; i++) {
        const json_t *number = json_object_get(value, kept[i].name);
        whole = json_is_number(number) || json_is_null(number);
    }
    for (size_t i = 0; i < count && whole; i++) {
        const json_t *number = json_object_get(value, kept[i].name);
        *kept[i].value = json_is_null(number) ? (double)NAN : json_number_value(number);
    }
    *ret_found = whole;
    return OK;
}

Status sensing_keep(Sensing *sensing, const char *key, const Kept *kept, size_t count, Error *err) {
    const Evaluations *cache = sensing->options->cache;
    if (!cache || !cache->path)
        return OK;
    json_t *value = json_object();
    bool made = value != NULL;
    for (size_t i = 0; i < count && made; i++)
        made = json_object_set_new(value, kept[i].name,
                                   isfinite(*kept[i].value) ? json_real(*kept[i].value) : json_null()) == 0;
    Status status = made ? evaluations_put(cache, "sensitivity", key, value, err)
                         : FAIL(err, ERR_MEMORY, "memory is short for what was measured of a layer");
    json_decref(value);
    return status;
}

// Rows that all parts and times were measured of.
static Status rows_make(Sensing *sensing, Sensitivity *result, Error *err) {
    size_t tokens = sensing->samples.label_tokens;
    result->samples = sensing->samples.count;
    result->rouge_samples = sensing->score_rows;
    result->tokens = tokens;
    result->base_loss = sensing->base_nats / (double)tokens;
    result->base_rouge = sensing->base_score;
    result->base_ms = sensing->base_ms;
    TRY_NEW(result->rows = arena_array(sensing->arena, sensing->entry_count, sizeof *result->rows, err));
    for (size_t i = 0; i < sensing->entry_count; i++) {
        Entry *entry = &sensing->entries[i];
        if (entry->parts != sensing->part_count || !entry->timed)
            continue;
        if (entry->size > 0)
            entry->row.output_error = entry->moved / entry->size;
        entry->row.loss_change = entry->nats / (double)tokens - result->base_loss;
        result->rows[result->count++] = entry->row;
    }
    return OK;
}

static Status measure(Sensing *sensing, Sensitivity *ret, Error *err) {
    const SensitivityOptions *options = sensing->options;
    TRY(check_options(options, err));
    TRY(runtime_open(options->model, options->level, options->threads > 0 ? options->threads : 1, false,
                     &sensing->runtime, err));
    TRY(roles_check_real(&sensing->scratch, sensing->runtime->model, "measure", err));
    TRY(source_values_check(sensing->runtime->model, err));
    TRY(samples_find(sensing, err));
    TRY(parts_make(sensing, err));
    TRY(sensing_find_sites(sensing, err));
    TRY(sensing_times(sensing, err));
    TRY(sensing_losses(sensing, err));
    TRY(sensing_scores(sensing, err));
    return rows_make(sensing, ret, err);
}

Status sensitivity_measure(Arena *arena, const SensitivityOptions *options, Sensitivity *ret_sensitivity, Error *err) {
    Sensing sensing = {.arena = arena, .options = options, .meter = options->meter, .base_score = NAN};
    Sensitivity result = {0};
    arena_init(&sensing.scratch, 0);
    Status status = measure(&sensing, &result, err);
    runtime_free(sensing.runtime);
    arena_done(&sensing.scratch);
    if (status == OK)
        *ret_sensitivity = result;
    return status;
}
