// SPDX-License-Identifier: Apache-2.0
// Data -> Gram matrices of the inputs of int4 linears -> their codes, one weight after the other.
#include "compress/gptq_weights.h"

#include <assert.h>
#include <string.h>

#include "compress/gptq.h"
#include "compress/source_values.h"
#include "measure/calibration.h"

enum { DEFAULT_SAMPLES = 128 };

typedef struct Work {
    Arena *arena, grams;
    const Model *model;
    const GptqOptions *options;
    const WorkMeter *meter;
    WeightList *list;
    Kernels kernels;
    Pool *pool;
    Calibration calibration;
} Work;

static bool is_chosen(const Weight *weight) {
    return weight->packed == STORE_INT4 && weight->role == ROLE_LINEAR;
}

static bool wants_gram(void *context, const char *name) {
    const Work *work = context;
    for (size_t i = 0; i < work->list->count; i++)
        if (is_chosen(&work->list->items[i]) && strcmp(work->list->items[i].source->name, name) == 0)
            return true;
    return false;
}

static void tell(void *context, uint64_t done, uint64_t total) {
    const WorkMeter *meter = context;
    if (meter->tell)
        meter->tell(meter->context, done, total);
}

static Status work_calibrate(Work *work, Error *err) {
    size_t samples = work->options->samples ? work->options->samples : DEFAULT_SAMPLES;
    DataSet data;
    TRY(data_read(&work->grams, work->options->data, samples, false, &data, err));
    CalibrationSettings settings = {.data_name = work->options->data,
                                    .wants_gram = wants_gram,
                                    .context = work,
                                    .tell = tell,
                                    .tell_context = (void *)(uintptr_t)work->meter};
    Status status =
        calibrate(&work->grams, work->model, &work->kernels, work->pool, &data, &settings, &work->calibration, err);
    return source_values_explain(work->model, status, err);
}

static Status weight_round(Work *work, Weight *weight, Error *err) {
    assert(!weight->change.apply && !weight->kept_rows && !weight->kept_columns);
    const char *name = weight->source->name;
    const InputStatistics *statistics = calibration_find(&work->calibration, name);
    if (!statistics || !statistics->gram || !statistics->rows)
        return FAIL(err, ERR_FORMAT, "calibration data '%s' has no inputs for '%s'", work->options->data, name);
    Arena values;
    arena_init(&values, 0);
    float *weights = arena_array(&values, weight->rows, weight->columns * sizeof *weights, err);
    GptqResult result = {0};
    Status status = weights ? OK : err->status;
    if (weights) {
        tensor_to_f32(weight->source, weights);
        model_bytes_forget(model_info(work->model), weight->source->data, weight->source->bytes);
        GptqInput input = {.name = name,
                           .weights = weights,
                           .rows = weight->rows,
                           .columns = weight->columns,
                           .gram = statistics->gram->sums,
                           .samples = statistics->rows,
                           .group = weight->group,
                           .rule = weight->rule,
                           .scale_dtype = DTYPE_F16};
        status = gptq_round(work->arena, work->pool, &input, &result, err);
    }
    arena_done(&values);
    TRY(status);
    GptqLayer *layer = arena_array(work->arena, 1, sizeof *layer, err);
    TRY_NEW(layer);
    *layer = (GptqLayer){result.error, result.plain_error, statistics->rows, result.plain_rows, result.damping};
    weight->codes = result.pairs;
    weight->scales = result.scales;
    weight->gptq = layer;
    return OK;
}

static Status work_run(Work *work, size_t chosen, Error *err) {
    kernels_pick(work->options->level, &work->kernels);
    TRY(pool_new(work->options->threads > 0 ? work->options->threads : 1, &work->pool, err));
    TRY(work_calibrate(work, err));
    for (size_t i = 0, done = 0; i < work->list->count; i++) {
        if (!is_chosen(&work->list->items[i]))
            continue;
        TRY(weight_round(work, &work->list->items[i], err));
        tell((void *)(uintptr_t)work->meter, ++done, chosen);
    }
    return OK;
}

Status gptq_weights_choose(Arena *arena, const Model *model, const GptqOptions *options, const WorkMeter *meter,
                           WeightList *list, Error *err) {
    size_t chosen = 0;
    for (size_t i = 0; i < list->count; i++)
        chosen += is_chosen(&list->items[i]);
    if (!chosen)
        return FAIL(err, ERR_USAGE, "--gptq is for int4, and no linear becomes that");
    if (!options->data)
        return FAIL(err, ERR_USAGE, "--gptq needs --calibration DATA, rows that the model can be run over");
    Work work = {.arena = arena, .model = model, .options = options, .meter = meter, .list = list};
    arena_init(&work.grams, 0);
    Status status = work_run(&work, chosen, err);
    pool_free(work.pool);
    arena_done(&work.grams);
    return status;
}
