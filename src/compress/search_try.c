// SPDX-License-Identifier: Apache-2.0
// One candidate: made, scored and timed, or found in the cache.
#include <math.h>
#include <string.h>

#include "compress/search_work.h"

// CUT_GROUP: columns that cuts leave are multiples of this.
enum { CUT_GROUP = 32, SPEED_SAMPLES = 16, SPEED_CALLS = 48, THROUGHPUT_SAMPLES = 48, THROUGHPUT_CALLS = 9 };

Status search_recipe_text(const Search *search, const Recipe *recipe, unsigned parts, char **ret_text, Error *err) {
    Buffer out = {0};
    recipe_print(recipe, parts, &out);
    Status status = buffer_status(&out, err);
    if (status == OK && !(*ret_text = arena_copy_text(search->arena, out.data, out.bytes, err)))
        status = err->status;
    buffer_done(&out);
    return status;
}

void search_key(const Search *search, const char *text, char ret_key[SHA256_TEXT_BYTES]) {
    Sha256 hash;
    sha256_init(&hash);
    sha256_add(&hash, search->key_stem, strlen(search->key_stem) + 1);
    sha256_add(&hash, text, strlen(text));
    sha256_text(&hash, ret_key);
}

TrialOptions search_trial_options(const Search *search, SplitPart part) {
    const SearchOptions *options = search->options;
    bool batches = options->goal == SEARCH_THROUGHPUT;
    return (TrialOptions){.data = &search->split.parts[part],
                          .data_name = options->data,
                          .options = options->generation,
                          .context = options->generation_context,
                          .speed_batch = batches ? SEARCH_BATCH : 1,
                          .speed_samples = batches ? THROUGHPUT_SAMPLES : SPEED_SAMPLES,
                          .speed_calls = batches ? THROUGHPUT_CALLS : SPEED_CALLS,
                          .tell = options->tell,
                          .tell_context = options->context};
}

static json_t *quality_json(const Quality *quality, double bytes) {
    json_t *metrics = json_array();
    for (size_t m = 0; m < quality->metrics; m++) {
        json_t *scores = json_array();
        for (size_t i = 0; i < quality->samples; i++)
            json_array_append_new(scores, json_real(quality->scores[m][i]));
        json_array_append_new(metrics, json_pack("{s:s, s:b, s:o}", "name", quality->names[m], "less_is_better",
                                                 quality->less_is_better[m], "scores", scores));
    }
    return json_pack("{s:s, s:f, s:o}", "outputs_sha256", quality->outputs_sha256, "bytes", bytes, "metrics", metrics);
}

// False where it is not of `samples` samples: what another hone left there is measured again.
static Status quality_parse(Arena *arena, const json_t *value, size_t samples, Quality *ret_quality, double *ret_bytes,
                            bool *ret_good, Error *err) {
    Quality quality = {.samples = samples};
    const json_t *metrics = json_object_get(value, "metrics");
    quality.metrics = json_array_size(metrics);
    quality.outputs_sha256 = json_string_value(json_object_get(value, "outputs_sha256"));
    bool good = quality.outputs_sha256 && quality.metrics > 0 && quality.metrics <= TRIAL_METRICS_MOST;
    for (size_t m = 0; good && m < quality.metrics; m++) {
        const json_t *metric = json_array_get(metrics, m), *scores = json_object_get(metric, "scores");
        quality.names[m] = json_string_value(json_object_get(metric, "name"));
        quality.less_is_better[m] = json_is_true(json_object_get(metric, "less_is_better"));
        good = quality.names[m] && json_array_size(scores) == samples;
        TRY_NEW(quality.scores[m] = arena_array(arena, samples, sizeof(double), err));
        for (size_t i = 0; good && i < samples; i++)
            quality.scores[m][i] = json_number_value(json_array_get(scores, i));
    }
    *ret_good = good;
    *ret_bytes = json_number_value(json_object_get(value, "bytes"));
    *ret_quality = quality;
    return OK;
}

static Status folder_bytes(const char *folder, double *ret_bytes, Error *err) {
    Arena arena;
    arena_init(&arena, 0);
    const Model *model;
    Status status = model_open(&arena, folder, false, &model, err);
    if (status == OK)
        *ret_bytes = (double)model_info(model)->weight_bytes;
    arena_done(&arena);
    return status;
}

static Status quality_measure(Search *search, const Recipe *recipe, SplitPart part, Quality *ret_quality,
                              double *ret_bytes, Error *err) {
    const char *folder;
    TRY(recipe_make(search->arena, &search->maker, recipe, &folder, err));
    TRY(folder_bytes(folder, ret_bytes, err));
    TrialOptions options = search_trial_options(search, part);
    options.runtime = recipe_runtime(&search->maker, recipe);
    options.runtime.batch = SEARCH_BATCH;
    return trial_quality(search->arena, folder, &options, ret_quality, err);
}

static Status quality_find(Search *search, const Recipe *recipe, SplitPart part, Quality *ret_quality,
                           double *ret_bytes, Error *err) {
    char *text, *whole, key[SHA256_TEXT_BYTES];
    json_t *value;
    bool good = false;
    TRY(search_recipe_text(search, recipe, RECIPE_QUALITY, &text, err));
    TRY_NEW(whole = arena_format(search->arena, err, "%s %s", search->split.sha256[part], text));
    search_key(search, whole, key);
    TRY(evaluations_find(&search->evaluations, search->arena, "quality", key, &value, err));
    if (value)
        TRY(quality_parse(search->arena, value, search->split.parts[part].count, ret_quality, ret_bytes, &good, err));
    if (good)
        return OK;
    TRY(quality_measure(search, recipe, part, ret_quality, ret_bytes, err));
    value = quality_json(ret_quality, *ret_bytes);
    Status status = evaluations_put(&search->evaluations, "quality", key, value, err);
    json_decref(value);
    return status;
}

Status search_quality(Search *search, const Recipe *recipe, SplitPart part, Quality *ret_quality, Error *err) {
    double bytes;
    return quality_find(search, recipe, part, ret_quality, &bytes, err);
}

// Twice the half-width, so that as many rows that have not been looked at are likely to agree.
static bool is_within(const Search *search, const TrialLoss *loss) {
    return loss->mean.high + (loss->mean.high - loss->mean.relative) <= search->options->max_loss;
}

static Status judge(Search *search, Candidate *candidate, Error *err) {
    search->tried++;
    candidate->tried = true;
    candidate->kv_bytes = (double)session_page_bytes(model_session(search->model), candidate->recipe.kv_kind) *
                          (double)(2 * search->info->most_positions) / KV_BLOCK_TOKENS;
    if (!search->original) { // the first to be tried
        double sum = 0;
        for (size_t m = 0; m < candidate->quality.metrics; m++)
            sum += statistics_mean(candidate->quality.scores[m], candidate->quality.samples);
        if (!(sum > 0))
            return FAIL(err, ERR_FORMAT, "model '%s' scores 0 on the rows of '%s': there is nothing to lose",
                        search->options->model, search->options->data);
        candidate->within = true;
        return OK;
    }
    candidate->loss = trial_loss(&search->original->quality, &candidate->quality);
    candidate->within = is_within(search, &candidate->loss);
    search_say(search, "%zu. %s: %.2f MB, loss %.2f %% [%.2f, %.2f]%s", search->tried, candidate->text,
               candidate->bytes / 1e6, 100 * candidate->loss.mean.relative, 100 * candidate->loss.mean.low,
               100 * candidate->loss.mean.high, candidate->within ? "" : ", beyond the budget");
    return OK;
}

static Status candidate_add(Search *search, const char *name, const Recipe *recipe, const char *text,
                            Candidate **ret_candidate, Error *err) {
    if (search->count == SEARCH_MOST_CANDIDATES)
        return FAIL(err, ERR_LIMIT, "the search has tried %d recipes: give a smaller --max-evaluations",
                    SEARCH_MOST_CANDIDATES);
    Candidate *candidate = &search->items[search->count++];
    *candidate = (Candidate){.name = name, .recipe = *recipe, .text = text, .bytes = NAN, .ms = NAN};
    Status status =
        quality_find(search, &candidate->recipe, SPLIT_SELECTION, &candidate->quality, &candidate->bytes, err);
    if (status == ERR_USAGE || status == ERR_UNSUPPORTED || status == ERR_NO) { // of recipes that do not fit this model
        TRY_NEW(candidate->reason = arena_copy_text(search->arena, err->message, strlen(err->message), err));
        search_say(search, "%s is not possible here: %s", text, candidate->reason);
        status = OK;
    } else if (status == OK) {
        status = judge(search, candidate, err);
    }
    *ret_candidate = candidate;
    return status;
}

// Whether the columns that cuts leave are still whole groups of int4. Neurons that stay are rounded up to CUT_GROUP
// (compress/prune.h); how many heads stay is not known before they are scored.
static bool cuts_fit(const Search *search, const Recipe *recipe) {
    const size_t sizes[] = {search->info->encoder_ffn, search->info->decoder_ffn};
    for (size_t i = 0; i < recipe->cut_count; i++) {
        const RecipeCut *cut = &recipe->cuts[i];
        if (cut->method == PRUNE_HEADS)
            return false;
        for (size_t side = 0; cut->method == PRUNE_FFN && side < 2; side++) {
            size_t stay = sizes[side] - (size_t)nearbyint(cut->amount * (double)sizes[side]);
            if ((stay + CUT_GROUP - 1) / CUT_GROUP * CUT_GROUP % recipe->group)
                return false;
        }
    }
    return true;
}

Status search_try(Search *search, const char *name, const Recipe *asked, Candidate **ret_candidate, Error *err) {
    Recipe fitted = *asked, *recipe = &fitted;
    if (fitted.group > CUT_GROUP && !cuts_fit(search, &fitted))
        fitted.group = CUT_GROUP;
    Buffer out = {0};
    recipe_describe(recipe, &out);
    Status status = buffer_status(&out, err);
    char *text = status == OK ? arena_copy_text(search->arena, out.data, out.bytes, err) : NULL;
    buffer_done(&out);
    TRY_NEW(text);
    char *exact; // descriptions count layers; what tells recipes apart is their text in full
    TRY(search_recipe_text(search, recipe, RECIPE_QUALITY, &exact, err));
    for (size_t i = 0; i < search->count; i++) {
        char *other;
        TRY(search_recipe_text(search, &search->items[i].recipe, RECIPE_QUALITY, &other, err));
        if (strcmp(other, exact) == 0) {
            *ret_candidate = &search->items[i];
            return OK;
        }
    }
    return candidate_add(search, name, recipe, text, ret_candidate, err);
}

typedef struct PairSpeed {
    double original_ms, ms; // a sample
    Interval against_best;  // how many times faster
} PairSpeed;

static Status pair_measure(Search *search, const Candidate *candidate, PairSpeed *ret_speed, Error *err) {
    const Candidate *all[] = {search->original, search->best, candidate};
    TrialModel models[3];
    Speed speeds[3];
    for (size_t i = 0; i < 3; i++) {
        TRY(recipe_make(search->arena, &search->maker, &all[i]->recipe, &models[i].path, err));
        models[i].runtime = recipe_runtime(&search->maker, &all[i]->recipe);
    }
    TrialOptions options = search_trial_options(search, SPLIT_TUNING);
    TRY(trial_speed(search->arena, models, 3, &options, speeds, err));
    ret_speed->original_ms = speeds[0].ms_per_sample;
    ret_speed->ms = speeds[2].ms_per_sample;
    ret_speed->against_best = trial_ratio(search->arena, &speeds[1], &speeds[2], err);
    return OK;
}

static bool pair_parse(const json_t *value, PairSpeed *ret_speed) {
    const char *const keys[] = {"original_ms", "ms", "mean", "low", "high"};
    double *const members[] = {&ret_speed->original_ms, &ret_speed->ms, &ret_speed->against_best.mean,
                               &ret_speed->against_best.low, &ret_speed->against_best.high};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *number = json_object_get(value, keys[i]);
        if (!json_is_number(number))
            return false;
        *members[i] = json_number_value(number);
    }
    return true;
}

static Status pair_find(Search *search, const Candidate *candidate, PairSpeed *ret_speed, Error *err) {
    char *best, *other, machine[128], key[SHA256_TEXT_BYTES];
    cpu_name(machine, sizeof machine);
    TRY(search_recipe_text(search, &search->best->recipe, RECIPE_ALL, &best, err));
    TRY(search_recipe_text(search, &candidate->recipe, RECIPE_ALL, &other, err));
    char *text = arena_format(search->arena, err, "%s %d %d %d %s %s", machine, search->options->threads,
                              (int)search->options->level, (int)search->options->goal, best, other);
    TRY_NEW(text);
    search_key(search, text, key);
    json_t *value;
    TRY(evaluations_find(&search->evaluations, search->arena, "speed", key, &value, err));
    if (value && pair_parse(value, ret_speed))
        return OK;
    TRY(pair_measure(search, candidate, ret_speed, err));
    value = json_pack("{s:f, s:f, s:f, s:f, s:f}", "original_ms", ret_speed->original_ms, "ms", ret_speed->ms, "mean",
                      ret_speed->against_best.mean, "low", ret_speed->against_best.low, "high",
                      ret_speed->against_best.high);
    Status status = evaluations_put(&search->evaluations, "speed", key, value, err);
    json_decref(value);
    return status;
}

// Times that noise does not tell apart leave the choice to size.
static bool is_better(const Search *search, const Candidate *candidate, const PairSpeed *speed) {
    const Candidate *best = search->best;
    double size = candidate->bytes + candidate->kv_bytes, best_size = best->bytes + best->kv_bytes;
    if (search->options->goal == SEARCH_MEMORY)
        return size < best_size;
    if (speed->against_best.low > 1)
        return true;
    return speed->against_best.high >= 1 && size < best_size;
}

Status search_consider(Search *search, Candidate *candidate, Error *err) {
    if (!candidate->tried || candidate == search->best)
        return OK;
    PairSpeed speed;
    if (candidate->within) {
        TRY(pair_find(search, candidate, &speed, err));
        if (isnan(search->original->ms))
            search->original->ms = speed.original_ms;
        candidate->ms = speed.ms * search->original->ms / speed.original_ms;
    }
    if (candidate->within && is_better(search, candidate, &speed)) {
        if (!search->best->name)
            recipe_forget(&search->maker, &search->best->recipe);
        search->best = candidate;
        if (search->best_count < SEARCH_MOST_CANDIDATES)
            search->bests[search->best_count++] = candidate;
        search_say(search, "best so far: %s: %.2f times as fast as the original, %.1f %% smaller, loss %.2f %% at most",
                   candidate->text, search->original->ms / candidate->ms,
                   100 * (1 - candidate->bytes / search->original->bytes), 100 * candidate->loss.mean.high);
    } else if (!candidate->name) {
        recipe_forget(&search->maker, &candidate->recipe);
    }
    return OK;
}
