// SPDX-License-Identifier: Apache-2.0
// Data -> statistics -> factors, if asked for, and statistics again -> scales -> corrections of biases.
#include "compress/static_input.h"

#include <math.h>
#include <string.h>

#include "compress/source_values.h"
#include "compress/statistics_file.h"
#include "format/safetensors/safetensors.h"
#include "tensor/quantize.h"

enum { DEFAULT_SAMPLES = 128 };
#define DEFAULT_PERCENTILE 99.99
#define FACTOR_MOST 0x1p16 // between columns that hardly differ and ones that were nearly 0 in this data

typedef struct Work {
    Arena *arena;
    const Model *model;
    const StaticOptions *options;
    const WorkMeter *meter;
    WeightList *list;
    Kernels kernels;
    Pool *pool;
    DataSet data;
    Calibration calibration;
    float **factors; // [inputs] what activations are multiplied with; NULL: nothing, or not smoothed
} Work;

static void tell(void *context, uint64_t done, uint64_t total) {
    const WorkMeter *meter = context;
    if (meter->tell)
        meter->tell(meter->context, done, total);
}

static bool reads(const InputStatistics *input, const char *weight) {
    for (size_t i = 0; i < input->weight_count; i++)
        if (strcmp(input->weights[i], weight) == 0)
            return true;
    return false;
}

// Which of the calibration's inputs a weight is multiplied with; its count: none.
static size_t input_of(const Work *work, const char *weight) {
    size_t i = 0;
    while (i < work->calibration.count && !reads(&work->calibration.inputs[i], weight))
        i++;
    return i;
}

static const float *factors_of(void *context, const char *weight) {
    const Work *work = context;
    size_t input = input_of(work, weight);
    return input < work->calibration.count ? work->factors[input] : NULL;
}

static Status work_calibrate(Work *work, Error *err) {
    Calibration found;
    CalibrationSettings settings = {.data_name = work->options->data,
                                    .input_factors = work->factors ? factors_of : NULL,
                                    .context = work,
                                    .tell = tell,
                                    .tell_context = (void *)(uintptr_t)work->meter};
    Status status =
        calibrate(work->arena, work->model, &work->kernels, work->pool, &work->data, &settings, &found, err);
    TRY(source_values_explain(work->model, status, err));
    work->calibration = found;
    return OK;
}

typedef struct ColumnMaxima {
    size_t columns;
    float *maxima; // [columns]
} ColumnMaxima;

static void maxima_take(void *context, size_t first, size_t count, const float *values) {
    const ColumnMaxima *c = context;
    for (size_t i = 0; i < count; i++) {
        float *largest = &c->maxima[(first + i) % c->columns];
        *largest = fabsf(values[i]) > *largest ? fabsf(values[i]) : *largest;
    }
}

// 1 / s for each column; weights that share the input share the factors.
static Status factors_make(Work *work, const InputStatistics *input, float **ret_factors, Error *err) {
    const ModelInfo *info = model_info(work->model);
    ColumnMaxima weights = {.columns = input->columns};
    float *factors = arena_array(work->arena, input->columns, sizeof *factors, err);
    TRY_NEW(factors);
    TRY_NEW(weights.maxima = arena_array(work->arena, input->columns, sizeof *weights.maxima, err));
    bool any = false;
    for (size_t i = 0; i < work->list->count; i++) {
        const Weight *weight = &work->list->items[i];
        if (!weight->static_input || !reads(input, weight->source->name))
            continue;
        TRY(source_values_each(info, weight->source, maxima_take, &weights, err));
        any = true;
    }
    for (size_t c = 0; c < input->columns; c++) {
        double x = (double)input->column_absmax[c], w = (double)weights.maxima[c], alpha = work->options->smooth;
        double s = x > 0 && w > 0 ? pow(x, alpha) / pow(w, 1 - alpha) : 1;
        factors[c] = (float)(1 / fmin(fmax(s, 1 / FACTOR_MOST), FACTOR_MOST));
    }
    *ret_factors = any ? factors : NULL;
    return OK;
}

static Status smooth(Work *work, Error *err) {
    float **factors = arena_array(work->arena, work->calibration.count, sizeof(float *), err);
    TRY_NEW(factors);
    for (size_t i = 0; i < work->calibration.count; i++)
        TRY(factors_make(work, &work->calibration.inputs[i], &factors[i], err));
    work->factors = factors;
    return work_calibrate(work, err); // the same model: its inputs are in the same order
}

// Columns of a weight are divided by what its activations are multiplied with.
typedef struct ColumnChange {
    size_t columns;
    const float *factors;
} ColumnChange;

static void columns_divide(const void *context, size_t first, size_t count, float *values) {
    const ColumnChange *change = context;
    for (size_t i = 0; i < count; i++)
        values[i] /= change->factors[(first + i) % change->columns];
}

static Status weight_choose(Work *work, Weight *weight, Error *err) {
    const StaticOptions *options = work->options;
    size_t at = input_of(work, weight->source->name);
    const InputStatistics *input = at < work->calibration.count ? &work->calibration.inputs[at] : NULL;
    if (!input || input->columns != weight->columns)
        return FAIL(err, ERR_FORMAT, "file '%s' holds nothing about '%s' of %zu columns: it is of another model",
                    options->data, weight->source->name, weight->columns);
    float threshold =
        threshold_choose(input, options->rule, options->percentile > 0 ? options->percentile : DEFAULT_PERCENTILE);
    weight->input_scale = threshold > 0x1p-90f ? threshold / 127.0f : 1.0f / 127.0f; // of nothing but zeros: any
    if (!work->factors || !work->factors[at])
        return OK;
    ColumnChange *change = arena_array(work->arena, 1, sizeof *change, err);
    TRY_NEW(change);
    *change = (ColumnChange){weight->columns, work->factors[at]};
    weight->input_factors = work->factors[at];
    weight_set_change(weight, (WeightChange){columns_divide, change});
    return OK;
}

// Errors of a weight's rows times the mean of its activations.
typedef struct Correction {
    const Weight *weight;
    const InputStatistics *input;
    float *row;  // [columns] as it fills
    int8_t *q;   // [columns]
    float *sums; // [rows] what the outputs lack
    Status status;
    Error *err;
} Correction;

static void row_correct(Correction *c, size_t row) {
    const Weight *weight = c->weight;
    float scale;
    if (weight->change.apply)
        weight->change.apply(weight->change.context, row * weight->columns, weight->columns, c->row);
    Status status = quantize_int8_rows(weight->name, DTYPE_F32, c->row, 1, weight->columns, c->q, &scale, c->err);
    c->status = c->status == OK ? status : c->status;
    double sum = 0;
    for (size_t i = 0; i < weight->columns && status == OK; i++)
        sum += ((double)c->row[i] - c->q[i] * (double)scale) * c->input->column_sums[i];
    c->sums[row] = (float)(sum / (double)c->input->rows);
}

static void correction_take(void *context, size_t first, size_t count, const float *values) {
    Correction *c = context;
    size_t columns = c->weight->columns;
    for (size_t i = 0; i < count; i++) {
        c->row[(first + i) % columns] = values[i];
        if ((first + i) % columns == columns - 1)
            row_correct(c, (first + i) / columns);
    }
}

static void bias_add(const void *context, size_t first, size_t count, float *values) {
    const float *sums = context;
    for (size_t i = 0; i < count; i++)
        values[i] += sums[first + i];
}

// NULL where the linear has none.
static Status bias_find(Work *work, const Weight *weight, Weight **ret_bias, Error *err) {
    char *module = module_name(work->arena, weight->source->name, err), *name;
    TRY_NEW(module);
    TRY_NEW(name = arena_format(work->arena, err, "%s.bias", module));
    *ret_bias = NULL;
    for (size_t i = 0; i < work->list->count; i++)
        if (strcmp(work->list->items[i].source->name, name) == 0)
            *ret_bias = &work->list->items[i];
    return OK;
}

static Status bias_correct(Work *work, const Weight *weight, Error *err) {
    Correction c = {.weight = weight, .err = err};
    c.input = &work->calibration.inputs[input_of(work, weight->source->name)];
    Weight *bias = NULL;
    TRY(bias_find(work, weight, &bias, err));
    if (!bias || !c.input->rows)
        return OK;
    TRY_NEW(c.row = arena_array(work->arena, weight->columns, sizeof *c.row, err));
    TRY_NEW(c.q = arena_array(work->arena, weight->columns, 1, err));
    TRY_NEW(c.sums = arena_array(work->arena, weight->rows, sizeof *c.sums, err));
    TRY(source_values_each(model_info(work->model), weight->source, correction_take, &c, err));
    TRY(c.status);
    weight_set_change(bias, (WeightChange){bias_add, c.sums});
    return OK;
}

// From a file that an earlier run left, or by running the model.
static Status statistics_find(Work *work, Error *err) {
    const StaticOptions *options = work->options;
    Bytes file;
    TRY(file_map(work->arena, options->data, &file, err));
    if (safetensors_recognise(file)) {
        char *name = arena_format(work->arena, err, "file '%s'", options->data);
        TRY_NEW(name);
        if (options->smooth > 0)
            return FAIL(err, ERR_USAGE, "--smooth needs rows to run the model over again, and %s holds statistics",
                        name);
        return statistics_read(work->arena, name, file, &work->calibration, err);
    }
    kernels_pick(options->level, &work->kernels);
    TRY(pool_new(options->threads > 0 ? options->threads : 1, &work->pool, err));
    size_t samples = options->samples ? options->samples : DEFAULT_SAMPLES;
    TRY(data_read(work->arena, options->data, samples, false, &work->data, err));
    return work_calibrate(work, err);
}

static Status work_run(Work *work, Error *err) {
    const StaticOptions *options = work->options;
    TRY(statistics_find(work, err));
    if (options->save)
        TRY(statistics_write(work->arena, options->save, &work->calibration, err));
    if (options->smooth > 0)
        TRY(smooth(work, err));
    for (size_t i = 0; i < work->list->count; i++)
        if (work->list->items[i].static_input)
            TRY(weight_choose(work, &work->list->items[i], err));
    for (size_t i = 0; i < work->list->count && options->correct_bias; i++)
        if (work->list->items[i].static_input)
            TRY(bias_correct(work, &work->list->items[i], err));
    return OK;
}

Status static_inputs_choose(Arena *arena, const Model *model, const StaticOptions *options, const WorkMeter *meter,
                            WeightList *list, Error *err) {
    bool any = false;
    for (size_t i = 0; i < list->count; i++)
        any |= list->items[i].static_input;
    if (any && !options->data)
        return FAIL(err, ERR_USAGE, "int8-static needs --calibration DATA, rows that the model can be run over");
    if (!any && options->data)
        return FAIL(err, ERR_USAGE,
                    "--calibration is for int8-static, and for int4 by --gptq: no linear becomes either");
    if (!any)
        return OK;
    Work work = {.arena = arena, .model = model, .options = options, .meter = meter, .list = list};
    Status status = work_run(&work, err);
    pool_free(work.pool);
    return status;
}
