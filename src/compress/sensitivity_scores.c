// SPDX-License-Identifier: Apache-2.0
// What the model writes with one layer changed, against references: greedy, on a few rows, all in one engine.
#include <math.h>

#include "compress/sensitivity_work.h"
#include "measure/evaluate.h"

static Status score_key(Sensing *sensing, const char *layer, const char *change, size_t group, char **ret_key,
                        Error *err) {
    const SensitivityOptions *options = sensing->options;
    TRY_NEW(*ret_key = arena_format(&sensing->scratch, err, "%s; %s; %zu rows written; %s %s/%zu",
                                    options->cache_key ? options->cache_key : "", cpu_level_name(options->level),
                                    sensing->score_rows, layer, change, group));
    return OK;
}

// Mean ROUGE-L, or the share of labelled rows that come out exactly.
static Status score_measure(Sensing *sensing, double *ret_score, Error *err) {
    DataSet rows = *sensing->options->data;
    rows.count = sensing->score_rows;
    EvaluateSettings settings = {.generation = *model_generation(sensing->runtime->model),
                                 .rouge = {.types = {ROUGE_L}, .type_count = 1},
                                 .batch = rows.count};
    settings.generation.num_beams = settings.generation.num_return_sequences = 1;
    settings.generation.do_sample = false;
    Evaluation evaluation;
    if (evaluate(sensing->runtime, &rows, &settings, &evaluation, err) != OK)
        return error_context(err, "data '%s'", sensing->options->data_name);
    const double *values = evaluation.labelled ? (const double *)(const void *)evaluation.exact.data
                                               : rouge_aggregate_values(&evaluation.rouge, 0, ROUGE_FMEASURE);
    *ret_score = statistics_mean(values, rows.count);
    evaluation_done(&evaluation);
    return OK;
}

static Status base_score(Sensing *sensing, Error *err) {
    char *key;
    bool found;
    TRY(score_key(sensing, "model", "as it is", 0, &key, err));
    TRY(sensing_recall(sensing, key, &(Kept){"score", &sensing->base_score}, 1, &found, err));
    if (found)
        return OK;
    TRY(sensing_start(sensing, err));
    TRY(score_measure(sensing, &sensing->base_score, err));
    return sensing_keep(sensing, key, &(Kept){"score", &sensing->base_score}, 1, err);
}

static Status changed_score(Sensing *sensing, Entry *entry, double *ret_score, Error *err) {
    Change change = {.entry = entry};
    TRY(sensing_start(sensing, err));
    Status status = changes_find(sensing, &change, 1, err);
    if (status == OK)
        status = change_prepare(&change, err);
    if (status == OK) {
        change_put_in(&change);
        status = score_measure(sensing, ret_score, err);
        change_take_out(&change);
    }
    changes_done(&change, 1);
    return status;
}

static Status entry_score(Sensing *sensing, Entry *entry, Error *err) {
    char *key;
    bool found;
    double score = 0;
    TRY(score_key(sensing, entry->row.layer, entry->row.change, entry->int4_group, &key, err));
    TRY(sensing_recall(sensing, key, &(Kept){"score", &score}, 1, &found, err));
    if (!found && sensing_is_late(sensing))
        return OK;
    if (!found) {
        TRY(changed_score(sensing, entry, &score, err));
        TRY(sensing_keep(sensing, key, &(Kept){"score", &score}, 1, err));
    }
    entry->row.rouge_change = sensing->base_score > 0 ? 1 - score / sensing->base_score : NAN;
    meter_add(&sensing->meter, 1);
    return OK;
}

Status sensing_scores(Sensing *sensing, Error *err) {
    if (!sensing->score_rows || sensing_is_late(sensing))
        return OK;
    sensing->meter.total += sensing->entry_count;
    TRY(base_score(sensing, err));
    for (size_t i = 0; i < sensing->entry_count; i++)
        if (sensing->entries[i].parts == sensing->part_count)
            TRY(entry_score(sensing, &sensing->entries[i], err));
    return OK;
}
