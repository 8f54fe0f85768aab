// SPDX-License-Identifier: Apache-2.0
// What is chosen by time alone, on the tuning rows: the best against the fixed recipes once more, then what changes no
// output: the screen of the head, lookup decoding, fewer threads, and for throughput the batch.
#include <string.h>

#include "compress/search_work.h"

enum {
    LEVERS_MOST = 8,
    RUNOFF_MOST = 8,
    RUNOFF_TIMES = 3,
    BATCH_MOST = 128,
    BATCH_LEAST_SAMPLES = 48,
    BATCH_CALLS = 4
};

#define BATCH_GAIN 1.02 // a batch twice as large has to bring this much

static Status cache_key(Search *search, const char *what, const Recipe *recipe, char ret_key[SHA256_TEXT_BYTES],
                        Error *err) {
    char *text, *key_text, machine[128];
    cpu_name(machine, sizeof machine);
    TRY(search_recipe_text(search, recipe, RECIPE_ALL, &text, err));
    TRY_NEW(key_text = arena_format(search->arena, err, "%s %s %d %d %s", what, machine, search->options->threads,
                                    (int)search->options->level, text));
    search_key(search, key_text, ret_key);
    return OK;
}

// The variants of a recipe that are worth timing, itself first.
static size_t variants_list(const Search *search, const Recipe *recipe, Recipe ret_variants[LEVERS_MOST]) {
    size_t count = 0;
    ret_variants[count++] = *recipe;
    for (unsigned bits = 1; bits < 4 && !search->beams; bits++) { // both levers are for greedy decoding
        ret_variants[count] = *recipe;
        ret_variants[count].lm_head_screen = bits & 1;
        ret_variants[count++].lookup_decoding = bits >> 1;
    }
    if (search->maker.threads > 1) {
        ret_variants[count] = *recipe;
        ret_variants[count++].threads = 1;
    }
    return count;
}

// Which variant is surely faster than the recipe as it is, and the fastest of those; 0: none.
static Status variants_time(Search *search, const Recipe *variants, size_t count, size_t *ret_chosen, Error *err) {
    TrialModel models[LEVERS_MOST];
    Speed speeds[LEVERS_MOST];
    for (size_t i = 0; i < count; i++) {
        TRY(recipe_make(search->arena, &search->maker, &variants[i], &models[i].path, err));
        models[i].runtime = recipe_runtime(&search->maker, &variants[i]);
    }
    TrialOptions options = search_trial_options(search, SPLIT_TUNING);
    TRY(trial_speed(search->arena, models, count, &options, speeds, err));
    double best = 1;
    *ret_chosen = 0;
    for (size_t i = 1; i < count; i++) {
        Interval ratio = trial_ratio(search->arena, &speeds[0], &speeds[i], err);
        if (ratio.low > 1 && ratio.mean > best) {
            best = ratio.mean;
            *ret_chosen = i;
        }
    }
    if (*ret_chosen)
        search_say(search, "%s is %.2f times as fast as without",
                   *ret_chosen + 1 == count && search->maker.threads > 1 ? "one thread"
                                                                         : "a lever that changes no output",
                   best);
    return OK;
}

static Status levers_find(Search *search, Recipe *recipe, Error *err) {
    Recipe variants[LEVERS_MOST];
    char key[SHA256_TEXT_BYTES];
    json_t *value;
    size_t count = variants_list(search, recipe, variants), chosen = 0;
    TRY(cache_key(search, search_goal_name(search->options->goal), recipe, key, err));
    TRY(evaluations_find(&search->evaluations, search->arena, "levers", key, &value, err));
    json_int_t known = value ? json_integer_value(json_object_get(value, "variant")) : -1;
    if (known >= 0 && (size_t)known < count) {
        *recipe = variants[known];
        return OK;
    }
    TRY(variants_time(search, variants, count, &chosen, err));
    value = json_pack("{s:I}", "variant", (json_int_t)chosen);
    Status status = evaluations_put(&search->evaluations, "levers", key, value, err);
    json_decref(value);
    *recipe = variants[chosen];
    return status;
}

static Status batch_time(Search *search, const Recipe *recipe, size_t batch, double *ret_samples_per_s, Error *err) {
    TrialModel model = {.runtime = recipe_runtime(&search->maker, recipe)};
    Speed speed;
    TRY(recipe_make(search->arena, &search->maker, recipe, &model.path, err));
    TrialOptions options = search_trial_options(search, SPLIT_TUNING);
    options.speed_batch = batch;
    options.speed_samples = batch > BATCH_LEAST_SAMPLES ? batch : BATCH_LEAST_SAMPLES;
    options.speed_calls = BATCH_CALLS;
    TRY(trial_speed(search->arena, &model, 1, &options, &speed, err));
    *ret_samples_per_s = speed.samples_per_s;
    return OK;
}

// Doubles the batch while that brings more.
static Status batch_find(Search *search, Recipe *recipe, Error *err) {
    char key[SHA256_TEXT_BYTES];
    json_t *value;
    TRY(cache_key(search, "batch", recipe, key, err));
    TRY(evaluations_find(&search->evaluations, search->arena, "levers", key, &value, err));
    json_int_t known = value ? json_integer_value(json_object_get(value, "batch")) : 0;
    if (known > 0 && known <= BATCH_MOST) {
        recipe->batch = (size_t)known;
        return OK;
    }
    double best = 0;
    size_t rows = search->split.parts[SPLIT_TUNING].count;
    for (size_t batch = 1; batch <= BATCH_MOST && batch <= rows; batch *= 2) {
        double now;
        TRY(batch_time(search, recipe, batch, &now, err));
        if (now < best * BATCH_GAIN)
            break;
        best = now;
        recipe->batch = batch;
    }
    search_say(search, "batches of %zu: %.1f samples a second", recipe->batch, best);
    value = json_pack("{s:I}", "batch", (json_int_t)recipe->batch);
    Status status = evaluations_put(&search->evaluations, "levers", key, value, err);
    json_decref(value);
    return status;
}

// The fixed recipes that are within the budget, and the best.
static size_t contenders_list(Search *search, Candidate *ret_contenders[RUNOFF_MOST]) {
    size_t count = 0;
    ret_contenders[count++] = search->best;
    for (size_t i = 0; i < search->count && count < RUNOFF_MOST; i++) {
        Candidate *candidate = &search->items[i];
        if (candidate->name && candidate->tried && candidate->within && candidate != search->best)
            ret_contenders[count++] = candidate;
    }
    return count;
}

static Status contenders_time(Search *search, Candidate *const *contenders, size_t count, size_t *ret_chosen,
                              Error *err) {
    TrialModel models[RUNOFF_MOST];
    Speed speeds[RUNOFF_MOST];
    for (size_t i = 0; i < count; i++) {
        TRY(recipe_make(search->arena, &search->maker, &contenders[i]->recipe, &models[i].path, err));
        models[i].runtime = recipe_runtime(&search->maker, &contenders[i]->recipe);
    }
    TrialOptions options = search_trial_options(search, SPLIT_TUNING);
    options.speed_calls *= RUNOFF_TIMES;
    TRY(trial_speed(search->arena, models, count, &options, speeds, err));
    double best = 1;
    *ret_chosen = 0;
    for (size_t i = 1; i < count; i++) {
        Interval ratio = trial_ratio(search->arena, &speeds[0], &speeds[i], err);
        if (ratio.mean > best) {
            best = ratio.mean;
            *ret_chosen = i;
        }
    }
    return OK;
}

// A winner of many comparisons owes something to luck: it meets the fixed recipes in one longer run.
static Status contenders_meet(Search *search, Error *err) {
    Candidate *contenders[RUNOFF_MOST];
    size_t count = contenders_list(search, contenders), chosen = 0;
    char key[SHA256_TEXT_BYTES];
    json_t *value;
    if (count < 2)
        return OK;
    TRY(cache_key(search, search_goal_name(search->options->goal), &search->best->recipe, key, err));
    TRY(evaluations_find(&search->evaluations, search->arena, "runoff", key, &value, err));
    json_int_t known = value ? json_integer_value(json_object_get(value, "contender")) : -1;
    if (known >= 0 && (size_t)known < count) {
        search->best = contenders[known];
        return OK;
    }
    TRY(contenders_time(search, contenders, count, &chosen, err));
    search->best = contenders[chosen];
    if (chosen)
        search_say(search, "once more, in turns, %s is the fastest", search->best->text);
    value = json_pack("{s:I}", "contender", (json_int_t)chosen);
    Status status = evaluations_put(&search->evaluations, "runoff", key, value, err);
    json_decref(value);
    return status;
}

Status search_runoff(Search *search, Error *err) {
    if (search->options->goal == SEARCH_MEMORY)
        return OK;
    search_phase_begin(search);
    TRY(contenders_meet(search, err));
    search_phase_end(search, "run-off");
    return OK;
}

Status search_levers(Search *search, Recipe *ret_recipe, Error *err) {
    search_phase_begin(search);
    Recipe recipe = search->best->recipe;
    if (search->options->goal != SEARCH_MEMORY)
        TRY(levers_find(search, &recipe, err));
    if (search->options->goal == SEARCH_THROUGHPUT)
        TRY(batch_find(search, &recipe, err));
    search_phase_end(search, "levers");
    *ret_recipe = recipe;
    return OK;
}
