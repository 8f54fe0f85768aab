// SPDX-License-Identifier: Apache-2.0
// The final rows, looked at once: every row of the table scored on them and timed in turns, the chosen recipe taken
// apart lever by lever, and the answer put in its place.
#include <string.h>

#include "compress/quantize.h"
#include "compress/search_evidence.h"

enum {
    FINAL_SPEED_SAMPLES = 16,
    FINAL_CALLS = 112,
    FINAL_BATCH_SAMPLES = 48,
    FINAL_BATCH_CALLS = 12,
    SHOWN_SAMPLES = 6
};

static Status rows_list(Search *search, const Recipe *chosen, FinalRow *rows, size_t *ret_count, Error *err) {
    size_t count = 0;
    for (size_t i = 0; i < search->count; i++) {
        const Candidate *candidate = &search->items[i];
        if (candidate->name && candidate->tried)
            rows[count++] = (FinalRow){.name = candidate->name, .recipe = candidate->recipe};
    }
    rows[count++] = (FinalRow){.name = "chosen", .recipe = *chosen, .chosen = true};
    for (size_t i = 0; i < count; i++)
        TRY(recipe_make(search->arena, &search->maker, &rows[i].recipe, &rows[i].folder, err));
    *ret_count = count;
    return OK;
}

static Status rows_score(Search *search, FinalRow *rows, size_t count, Error *err) {
    for (size_t i = 0; i < count; i++) {
        TrialOptions options = search_trial_options(search, SPLIT_FINAL);
        options.runtime = recipe_runtime(&search->maker, &rows[i].recipe);
        options.runtime.batch = SEARCH_BATCH;
        TRY(trial_quality(search->arena, rows[i].folder, &options, &rows[i].quality, err));
        rows[i].loss = trial_loss(&rows[0].quality, &rows[i].quality);
    }
    return OK;
}

static Status rows_time(Search *search, FinalRow *rows, size_t count, Error *err) {
    TrialModel *models = arena_array(search->arena, count, sizeof *models, err);
    TRY_NEW(models);
    Speed *speeds = arena_array(search->arena, count, sizeof *speeds, err), *batches;
    TRY_NEW(speeds);
    TRY_NEW(batches = arena_array(search->arena, count, sizeof *batches, err));
    for (size_t i = 0; i < count; i++)
        models[i] = (TrialModel){rows[i].folder, recipe_runtime(&search->maker, &rows[i].recipe)};
    TrialOptions options = search_trial_options(search, SPLIT_TUNING);
    options.speed_batch = 1;
    options.speed_samples = FINAL_SPEED_SAMPLES;
    options.speed_calls = FINAL_CALLS;
    TRY(trial_speed(search->arena, models, count, &options, speeds, err));
    options.speed_batch = SEARCH_BATCH;
    options.speed_samples = FINAL_BATCH_SAMPLES;
    options.speed_calls = FINAL_BATCH_CALLS;
    TRY(trial_speed(search->arena, models, count, &options, batches, err));
    for (size_t i = 0; i < count; i++) {
        rows[i].one = speeds[i];
        rows[i].many = batches[i];
        const Speed *all = search->options->goal == SEARCH_THROUGHPUT ? batches : speeds;
        rows[i].faster = trial_ratio(search->arena, &all[0], &all[i], err);
    }
    return OK;
}

// The chosen recipe, part by part: each stage has what those before it have.
static size_t stages_list(const Recipe *chosen, FinalRow ret_stages[FINAL_STAGES]) {
    Recipe recipe = {0};
    size_t count = 0;
    ret_stages[count++] = (FinalRow){.name = "original", .recipe = recipe};
    if (chosen->cut_count) {
        memcpy(recipe.cuts, chosen->cuts, sizeof recipe.cuts);
        recipe.cut_count = chosen->cut_count;
        ret_stages[count++] = (FinalRow){.name = "cuts", .recipe = recipe};
    }
    if (chosen->vocabulary) {
        recipe.vocabulary = true;
        ret_stages[count++] = (FinalRow){.name = "vocabulary", .recipe = recipe};
    }
    Recipe weights = *chosen;
    weights.kv_kind = 0;
    weights.lm_head_screen = weights.lookup_decoding = false;
    weights.threads = 0;
    weights.batch = 0;
    if (chosen->scheme != STORE_AS_IS || chosen->embeddings != STORE_AS_IS || chosen->layer_count)
        ret_stages[count++] = (FinalRow){.name = "schemes of weights", .recipe = weights};
    weights.kv_kind = chosen->kv_kind;
    if (chosen->kv_kind)
        ret_stages[count++] = (FinalRow){.name = "K/V type", .recipe = weights};
    if (chosen->lm_head_screen || chosen->lookup_decoding || chosen->threads)
        ret_stages[count++] = (FinalRow){.name = "levers", .recipe = *chosen};
    return count;
}

static Status stages_time(Search *search, FinalRow *stages, size_t count, Error *err) {
    TrialModel models[FINAL_STAGES];
    Speed speeds[FINAL_STAGES];
    for (size_t i = 0; i < count; i++) {
        TRY(recipe_make(search->arena, &search->maker, &stages[i].recipe, &stages[i].folder, err));
        models[i] = (TrialModel){stages[i].folder, recipe_runtime(&search->maker, &stages[i].recipe)};
    }
    TrialOptions options = search_trial_options(search, SPLIT_TUNING);
    TRY(trial_speed(search->arena, models, count, &options, speeds, err));
    for (size_t i = 0; i < count; i++)
        stages[i].one = speeds[i];
    return OK;
}

static Status final_key(Search *search, const FinalRow *rows, size_t count, char ret_key[SHA256_TEXT_BYTES],
                        Error *err) {
    Buffer text = {0};
    char machine[128];
    cpu_name(machine, sizeof machine);
    buffer_format(&text, "%s %d %d %d %s", machine, search->options->threads, (int)search->options->level,
                  (int)search->options->goal, search->split.sha256[SPLIT_FINAL]);
    for (size_t i = 0; i < count; i++) {
        buffer_format(&text, " %s ", rows[i].name);
        recipe_print(&rows[i].recipe, RECIPE_ALL, &text);
    }
    Status status = buffer_status(&text, err);
    if (status == OK)
        search_key(search, text.data, ret_key);
    buffer_done(&text);
    return status;
}

static Status final_measure(Search *search, FinalRow *rows, size_t count, json_t **ret_measured, Error *err) {
    FinalRow stages[FINAL_STAGES];
    search_phase_begin(search);
    TRY(rows_score(search, rows, count, err));
    search_phase_end(search, "final scores");
    search_phase_begin(search);
    TRY(rows_time(search, rows, count, err));
    size_t stage_count = stages_list(&rows[count - 1].recipe, stages);
    TRY(stages_time(search, stages, stage_count, err));
    search_phase_end(search, "final times, in turns");
    return evidence_measured(search, rows, count, stages, stage_count, SHOWN_SAMPLES, ret_measured, err);
}

static Status final_find(Search *search, FinalRow *rows, size_t count, json_t **ret_measured, Error *err) {
    char key[SHA256_TEXT_BYTES];
    TRY(final_key(search, rows, count, key, err));
    TRY(evaluations_find(&search->evaluations, search->arena, "final", key, ret_measured, err));
    if (*ret_measured)
        return OK;
    TRY(final_measure(search, rows, count, ret_measured, err));
    return evaluations_put(&search->evaluations, "final", key, *ret_measured, err);
}

// A folder with a hone.json, also where no weight changed.
static Status answer_folder(Search *search, const FinalRow *chosen, const char **ret_folder, Error *err) {
    *ret_folder = chosen->folder;
    if (strcmp(chosen->folder, search->maker.model) != 0)
        return OK;
    char *folder = path_join(search->arena, search->maker.folder, "unchanged", err);
    TRY_NEW(folder);
    RewriteReport report;
    *ret_folder = folder;
    return quantize_model(search->arena, search->maker.model, folder, &(QuantizeOptions){.scheme = STORE_AS_IS},
                          &report, err);
}

static Status publish(Search *search, const char *folder, const Recipe *chosen, json_t *evidence, Error *err) {
    char *recipe, *runtime, *whole;
    TRY(search_recipe_text(search, chosen, RECIPE_ALL, &recipe, err));
    TRY(search_recipe_text(search, chosen, RECIPE_KV | RECIPE_RUNNING, &runtime, err));
    TRY_NEW(whole = arena_format(search->arena, err,
                                 "{\"command\": \"optimize\", \"for\": \"%s\", \"max_loss\": %.9g, \"seed\": %llu, "
                                 "\"steps\": %s}",
                                 search_goal_name(search->options->goal), search->options->max_loss,
                                 (unsigned long long)search->options->seed, recipe));
    ManifestOutcome outcome = {.recipe = whole,
                               .runtime = runtime,
                               .sources = &search->sources,
                               .original_bytes = search->info->weight_bytes,
                               .evidence = evidence};
    TRY(manifest_retell(search->arena, folder, &outcome, err));
    return folder_commit(folder, search->options->output, err);
}

Status search_finish(Search *search, const Recipe *chosen, SearchAnswer *ret_answer, Error *err) {
    FinalRow *rows = arena_array(search->arena, search->count + 1, sizeof *rows, err);
    TRY_NEW(rows);
    size_t count;
    json_t *measured;
    const char *folder;
    TRY(rows_list(search, chosen, rows, &count, err));
    TRY(final_find(search, rows, count, &measured, err));
    TRY(answer_folder(search, &rows[count - 1], &folder, err));
    SearchAnswer answer;
    TRY(evidence_make(search, &rows[count - 1], folder, measured, &answer, err));
    TRY(publish(search, folder, chosen, answer.evidence, err));
    *ret_answer = answer;
    return OK;
}
