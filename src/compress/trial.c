// SPDX-License-Identifier: Apache-2.0
// Scores of one model: a runtime, the evaluation loop, its columns copied into the arena.
#include "compress/trial.h"

#include <assert.h>
#include <string.h>

#include "measure/evaluate.h"

enum { QUALITY_BATCH = 16 };

typedef struct Outputs {
    Arena *arena;
    const TrialOptions *options;
    char **texts; // NULL: the model has no tokenizer
} Outputs;

static Status on_output(void *context, size_t index, const int32_t *ids, size_t count, const char *text, size_t bytes,
                        Error *err) {
    (void)ids;
    (void)count;
    Outputs *outputs = context;
    const TrialOptions *options = outputs->options;
    if (text)
        TRY_NEW(outputs->texts[index] = arena_copy_text(outputs->arena, text, bytes, err));
    if (options->tell)
        options->tell(options->tell_context, index + 1, options->data->count);
    return OK;
}

static Status column_copy(Arena *arena, const char *name, const double *values, Quality *quality, Error *err) {
    double *scores = arena_array(arena, quality->samples, sizeof *scores, err);
    TRY_NEW(scores);
    memcpy(scores, values, quality->samples * sizeof *scores);
    quality->names[quality->metrics] = name;
    quality->scores[quality->metrics++] = scores;
    return OK;
}

static Status quality_fill(Arena *arena, const Evaluation *e, Quality *quality, Error *err) {
    TRY_NEW(quality->outputs_sha256 = arena_copy_text(arena, e->outputs_sha256, strlen(e->outputs_sha256), err));
    if (e->labelled) {
        TRY(column_copy(arena, "exact", (const double *)(void *)e->exact.data, quality, err));
        quality->less_is_better[quality->metrics] = true;
        return column_copy(arena, "token_error", (const double *)(void *)e->token_error.data, quality, err);
    }
    for (size_t k = 0; k < e->rouge.options.type_count; k++)
        TRY(column_copy(arena, rouge_type_name(e->rouge.options.types[k]),
                        rouge_aggregate_values(&e->rouge, k, ROUGE_FMEASURE), quality, err));
    return OK;
}

static Status evaluate_rows(Arena *arena, Runtime *runtime, const TrialOptions *options, size_t batch,
                            Quality *ret_quality, Error *err) {
    Outputs outputs = {.arena = arena, .options = options};
    EvaluateSettings settings = {.batch = batch, .on_output = on_output, .context = &outputs};
    Quality quality = {.samples = options->data->count};
    if (runtime->encoder)
        TRY_NEW(outputs.texts = quality.texts = arena_array(arena, quality.samples, sizeof *quality.texts, err));
    TRY(rouge_types_parse("rouge1,rouge2,rougeL", &settings.rouge, err));
    TRY(generation_change(runtime->model, arena, options->options, options->context, &settings.generation, err));
    Evaluation evaluation;
    Status status = evaluate(runtime, options->data, &settings, &evaluation, err);
    if (status != OK)
        return error_context(err, "model '%s', data '%s'", runtime->info->path, options->data_name);
    status = quality_fill(arena, &evaluation, &quality, err);
    evaluation_done(&evaluation);
    TRY(status);
    *ret_quality = quality;
    return OK;
}

Status trial_quality(Arena *arena, const char *model, const TrialOptions *options, Quality *ret_quality, Error *err) {
    RuntimeSettings settings = options->runtime;
    settings.batch = settings.batch ? settings.batch : QUALITY_BATCH;
    Runtime *runtime;
    TRY(runtime_new(model, &settings, &runtime, err));
    Status status = evaluate_rows(arena, runtime, options, settings.batch, ret_quality, err);
    runtime_free(runtime);
    return status;
}

TrialLoss trial_loss(const Quality *baseline, const Quality *candidate) {
    assert(baseline->samples == candidate->samples && baseline->metrics == candidate->metrics);
    PairedScores pairs[TRIAL_METRICS_MOST] = {{0}};
    bool labelled = false; // where less errors are better beside more exact answers
    for (size_t m = 0; m < baseline->metrics; m++) {
        pairs[m] = (PairedScores){baseline->scores[m], candidate->scores[m], baseline->less_is_better[m]};
        labelled |= baseline->less_is_better[m];
    }
    TrialLoss loss = {0};
    statistics_paired_losses(pairs, baseline->metrics, baseline->samples, BOOTSTRAP_SEED, loss.metrics, &loss.mean);
    if (labelled)
        loss.mean = loss.metrics[0];
    return loss;
}
