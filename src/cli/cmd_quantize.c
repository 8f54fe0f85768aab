// SPDX-License-Identifier: Apache-2.0
// hone quantize: a model's weights in fewer bits, written as a new folder.
#include "compress/quantize.h"

#include <string.h>

#include "cli/measured.h"
#include "cli/written.h"
#include "compress/gptq_weights.h"

typedef struct Settings {
    const char *output, *scheme, *embeddings, *scales;
    TextList keep;
    int64_t group;
    bool double_quant, loadable, gptq;
    const char *calibration, *calibrate, *statistics;
    int64_t samples;
    double percentile, smooth;
    bool correct_bias;
    const char *data;
    int64_t data_samples;
} Settings;

static const Option options[] = {
    {"output", 'o', "FOLDER", "where to write; new, empty, or written by hone", OPTION_TEXT,
     offsetof(Settings, output)},
    {"scheme", 0, "SCHEME", "fp16, bf16, int8, int8-static, int4 or nf4", OPTION_TEXT, offsetof(Settings, scheme)},
    {"group", 0, "N", "columns to a scale of int4: 32, 64 or 128 (default: 128)", OPTION_INT, offsetof(Settings, group),
     .low = 32, .high = 128},
    {"scales", 0, "RULE", "of int4: fit (default: least squares) or absmax (compressed-tensors' own)", OPTION_TEXT,
     offsetof(Settings, scales), .choices = "fit|absmax"},
    {"gptq", 0, NULL, "choose int4's codes so that outputs on --calibration stay near", OPTION_FLAG,
     offsetof(Settings, gptq)},
    {"double-quant", 0, NULL, "quantize the scales of nf4 too", OPTION_FLAG, offsetof(Settings, double_quant)},
    {"embeddings", 0, "SCHEME", "the word table and the head: another scheme than the layers'", OPTION_TEXT,
     offsetof(Settings, embeddings)},
    {"keep", 0, "PATTERN=SCHEME", "other weights than the scheme's where a name matches", OPTION_LIST,
     offsetof(Settings, keep)},
    {"calibration", 0, "DATA", "of int8-static and --gptq: rows (JSON lines) to run the model over", OPTION_TEXT,
     offsetof(Settings, calibration)},
    {"calibrate", 0, "RULE", "minmax (default), moving-average, percentile, entropy or mse", OPTION_TEXT,
     offsetof(Settings, calibrate)},
    {"calibration-samples", 0, "N", "rows of it at most (default: 128)", OPTION_INT, offsetof(Settings, samples),
     .low = 1, .high = 1000000},
    {"save-statistics", 0, "FILE", "of int8-static: keep what was seen, for another --calibration", OPTION_TEXT,
     offsetof(Settings, statistics)},
    {"percentile", 0, "P", "percent of magnitudes that a scale reaches (default: 99.99)", OPTION_REAL,
     offsetof(Settings, percentile), .low = 50, .high = 100},
    {"smooth", 0, "ALPHA",
     "SmoothQuant's: how far outliers move from activations into weights, as 0.5; only hone "
     "reads the result",
     OPTION_REAL, offsetof(Settings, smooth), .low = 0.01, .high = 0.99},
    {"correct-bias", 0, NULL, "add to each bias what rounding the weights moves the output by on average", OPTION_FLAG,
     offsetof(Settings, correct_bias)},
    {"loadable", 0, NULL, "write only what transformers loads too: fp16 tables beside packed layers", OPTION_FLAG,
     offsetof(Settings, loadable)},
    {"data", 0, "DATA", "rows (JSON lines) to measure loss, speed and memory on, against MODEL's", OPTION_TEXT,
     offsetof(Settings, data)},
    {"data-samples", 0, "N", "rows of it at most (default: 128)", OPTION_INT, offsetof(Settings, data_samples),
     .low = 1, .high = 1000000},
    {0},
};

// A layer is a module with its weight and bias; its scheme is that of its largest tensor.
typedef struct Layer {
    const char *name, *scheme;
    size_t largest, original_bytes, bytes;
    const GptqLayer *gptq; // NULL: rounded to nearest
} Layer;

typedef struct Layers {
    Layer *items;
    size_t count;
} Layers;

static Status layers_gather(Arena *arena, const WeightList *list, Layers *ret_layers, Error *err) {
    Layers layers = {0};
    TRY_NEW(layers.items = arena_array(arena, list->count, sizeof *layers.items, err));
    for (size_t i = 0; i < list->count; i++) {
        const Weight *weight = &list->items[i];
        char *name = module_name(arena, weight->name, err);
        TRY_NEW(name);
        if (!layers.count || strcmp(layers.items[layers.count - 1].name, name) != 0)
            layers.items[layers.count++] = (Layer){.name = name};
        Layer *layer = &layers.items[layers.count - 1];
        layer->original_bytes += weight->original_bytes;
        layer->bytes += weight->bytes;
        if (weight->gptq)
            layer->gptq = weight->gptq;
        if (weight->original_bytes >= layer->largest) {
            layer->largest = weight->original_bytes;
            layer->scheme = weight_scheme(weight);
        }
    }
    *ret_layers = layers;
    return OK;
}

static void add_text(Buffer *out, const char *text) {
    buffer_add_json(out, text, strlen(text));
}

static Status print_json(CommandRun *run, const RewriteReport *report, const Layers *layers, const Measured *measured,
                         Error *err) {
    const Settings *settings = run->settings;
    Buffer *out = &run->out.text;
    buffer_add_text(out, "{\"output\":");
    add_text(out, settings->output);
    buffer_format(
        out, ",\"scheme\":\"%s\",\"original_mb\":%.6f,\"quantized_mb\":%.6f,\"reduction_percent\":%.2f,\"layers\":[",
        settings->scheme, megabytes(report->original_bytes), megabytes(report->written_bytes),
        reduction(report->original_bytes, report->written_bytes));
    for (size_t i = 0; i < layers->count; i++) {
        const Layer *layer = &layers->items[i];
        buffer_add_text(out, i ? ",{\"name\":" : "{\"name\":");
        add_text(out, layer->name);
        buffer_format(out, ",\"scheme\":\"%s\",\"original_mb\":%.6f,\"quantized_mb\":%.6f", layer->scheme,
                      megabytes(layer->original_bytes), megabytes(layer->bytes));
        if (layer->gptq)
            buffer_format(out, ",\"nearest_error\":%.6g,\"gptq_error\":%.6g", layer->gptq->plain_error,
                          layer->gptq->error);
        buffer_add_char(out, '}');
    }
    buffer_add_text(out, "],");
    written_json(out, report, NULL);
    TRY(measured_json(run, measured, err));
    buffer_add_char(out, '}');
    return output_line(&run->out, err);
}

static void print_row(Buffer *out, const char *name, size_t layers, size_t original, size_t now) {
    buffer_format(out, "%-11s %8zu %12.2f %13.2f %11.1f %%", name, layers, megabytes(original), megabytes(now),
                  reduction(original, now));
}

// One row a scheme; the last one is of the files, their headers included.
static void print_people(Buffer *out, const RewriteReport *report, const Layers *layers) {
    buffer_format(out, "%-11s %8s %12s %13s %13s\n", "scheme", "layers", "original MB", "quantized MB", "reduction");
    for (size_t i = 0; i < layers->count; i++) {
        size_t count = 0, original = 0, now = 0;
        bool seen = false;
        for (size_t j = 0; j < layers->count; j++) {
            bool same = strcmp(layers->items[i].scheme, layers->items[j].scheme) == 0;
            seen |= same && j < i;
            count += same;
            original += same ? layers->items[j].original_bytes : 0;
            now += same ? layers->items[j].bytes : 0;
        }
        if (seen)
            continue;
        print_row(out, layers->items[i].scheme, count, original, now);
        buffer_add_char(out, '\n');
    }
    print_row(out, "files", layers->count, report->original_bytes, report->written_bytes);
}

// Mean squared errors of outputs, rounded to nearest and by GPTQ.
static void print_gptq(Buffer *out, const Layers *layers) {
    double worst = 0;
    buffer_format(out, "\n\n%-46s %12s %12s %7s\n", "squared error of outputs", "to nearest", "gptq", "ratio");
    for (size_t i = 0; i < layers->count; i++) {
        const GptqLayer *gptq = layers->items[i].gptq;
        if (!gptq)
            continue;
        double ratio = gptq->plain_error > 0 ? gptq->error / gptq->plain_error : 1;
        worst = ratio > worst ? ratio : worst;
        buffer_format(out, "%-46s %12.4g %12.4g %7.3f\n", layers->items[i].name, gptq->plain_error, gptq->error, ratio);
    }
    buffer_format(out, "%-46s %33.3f", "largest", worst);
}

static Status statics_fill(const CommandRun *run, StaticOptions *ret_statics, Error *err) {
    const Settings *s = run->settings;
    bool asks = s->calibrate || s->statistics || s->samples || s->percentile > 0 || s->smooth > 0 || s->correct_bias;
    if (asks && !s->calibration)
        return FAIL(err, ERR_USAGE, "options of calibration need --calibration DATA");
    *ret_statics = (StaticOptions){.data = s->calibration,
                                   .save = s->statistics,
                                   .samples = (size_t)s->samples,
                                   .percentile = s->percentile,
                                   .smooth = s->smooth,
                                   .correct_bias = s->correct_bias,
                                   .threads = run->common.threads,
                                   .level = run->common.level};
    if (s->calibrate && !threshold_rule_from_name(s->calibrate, &ret_statics->rule))
        return FAIL(err, ERR_USAGE, "--calibrate is '%s', expected minmax, moving-average, percentile, entropy or mse",
                    s->calibrate);
    if (s->percentile > 0 && ret_statics->rule != THRESHOLD_PERCENTILE)
        return FAIL(err, ERR_USAGE, "--percentile is for --calibrate percentile");
    return OK;
}

static Status options_fill(CommandRun *run, QuantizeOptions *ret_options, Error *err) {
    const Settings *settings = run->settings;
    if (!settings->output)
        return FAIL(err, ERR_USAGE, "expected -o FOLDER, the place for the quantized model");
    if (!settings->scheme)
        return FAIL(err, ERR_USAGE, "expected --scheme fp16, bf16, int8, int8-static, int4 or nf4");
    if (settings->group & (settings->group - 1))
        return FAIL(err, ERR_USAGE, "--group is %lld, expected 32, 64 or 128", (long long)settings->group);
    TRY(weight_scheme_parse("--scheme", settings->scheme, &ret_options->scheme, err));
    if (settings->embeddings)
        TRY(weight_scheme_parse("--embeddings", settings->embeddings, &ret_options->embeddings, err));
    KeepRule *rules = arena_array(run->arena, settings->keep.count, sizeof *rules, err);
    TRY_NEW(rules);
    for (size_t i = 0; i < settings->keep.count; i++)
        TRY(keep_rule_parse(run->arena, settings->keep.items[i], &rules[i], err));
    ret_options->keeps = rules;
    ret_options->keep_count = settings->keep.count;
    ret_options->loadable = settings->loadable;
    ret_options->group = (size_t)settings->group;
    ret_options->int4_rule = settings->scales && strcmp(settings->scales, "absmax") == 0 ? INT4_ABSMAX : INT4_FIT;
    ret_options->double_quant = settings->double_quant;
    ret_options->gptq = settings->gptq;
    return statics_fill(run, &ret_options->statics, err);
}

// What was written is told before it is measured, which may take longer.
static Status answer(CommandRun *run, const RewriteReport *report, Measured *measured, Error *err) {
    const Settings *settings = run->settings;
    Layers layers = {0};
    Buffer *out = &run->out.text;
    written_tell(report);
    TRY(layers_gather(run->arena, &report->weights, &layers, err));
    if (run->common.json) {
        TRY(measured_run(run, settings->output, measured, err));
        return print_json(run, report, &layers, measured, err);
    }
    print_people(out, report, &layers);
    if (settings->gptq)
        print_gptq(out, &layers);
    TRY(output_line(&run->out, err));
    return measured_people(run, settings->output, "quantized", measured, err);
}

static Status run(CommandRun *run, Error *err) {
    const Settings *settings = run->settings;
    QuantizeOptions quantize = {0};
    TRY(options_fill(run, &quantize, err));
    MeasuredAsk ask = {.data = settings->data, .samples = settings->data_samples, .decided_on = settings->calibration};
    Measured measured;
    TRY(measured_open(run, &ask, &measured, err));
    Progress progress;
    progress_init(&progress, "quantizing", 0, run->common.quiet);
    quantize.meter = (WorkMeter){.tell = progress_tell, .context = &progress};
    RewriteReport report;
    Status status = quantize_model(run->arena, run->arguments[0], settings->output, &quantize, &report, err);
    progress_done(&progress);
    TRY(status);
    return answer(run, &report, &measured, err);
}

const Command command_quantize = {
    .arguments = "MODEL",
    .least = 1,
    .most = 1,
    .help =
        "Writes a model again with smaller weights: fp16 or bf16 for every real tensor, or codes for the linears of\n"
        "the layers, the word table and the head: int8 by row, int4 by groups, nf4 by blocks of 64. The folder has\n"
        "Hugging Face's layout; int8 and int4 layers are compressed-tensors' W8A8 and W4A16, nf4 layers "
        "bitsandbytes',\n"
        "tables of codes are in a form that only hone reads (see --loadable), as are nf4 and int in one model.\n"
        "\n"
        "int8 quantizes activations as they come, each token by its largest value. int8-static has one scale for each\n"
        "linear's, chosen from what passes through the model on rows of --calibration; the head's stay as for int8.\n"
        "\n"
        "int4 finds the scale of each group by least squares. With --gptq the model runs over --calibration first,\n"
        "and what rounding a column of a linear does to its outputs is taken back by the columns after it; the errors\n"
        "of each linear's outputs are printed. Tables stay rounded to nearest.\n"
        "\n"
        "With --data the result is measured before the command ends: what it loses of ROUGE (of exact match and token\n"
        "error for rows of input_ids and label_ids) with 95 % intervals of the same rows of both models, and, on the\n"
        "first 32 rows one at a time in turns, how long both take and how many times faster it is. Rows need\n"
        "references. Should measuring fail, the folder stays.\n"
        "\n"
        "A PATTERN is a glob, or a regular expression after \"re:\"; it has to match a tensor's whole name, or its\n"
        "module's, with or without \"model.\" before it: --keep '*.fc2=fp16' --keep 're:decoder.*attn.*=fp32'. The "
        "first\n"
        "that matches decides.\n",
    .settings_bytes = sizeof(Settings),
    .options = options,
    .json = true,
    .run = run,
};
