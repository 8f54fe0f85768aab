// SPDX-License-Identifier: Apache-2.0
// hone sensitivity: what each layer of a model costs when it is made smaller.
#include <string.h>

#include "base/build.h"
#include "cli/runtime.h"
#include "cli/sensitivity_report.h"
#include "compress/manifest.h"
#include "measure/model_mark.h"

typedef struct Settings {
    const char *amounts, *schemes, *svg, *cache;
    int64_t samples, rouge_samples, group;
} Settings;

static const Option options[] = {
    {"schemes", 0, "LIST", "of fp16, bf16, int8, int4 and nf4", OPTION_TEXT, offsetof(Settings, schemes)},
    {"amounts", 0, "LIST", "shares that are left out: of values, neurons and heads", OPTION_TEXT,
     offsetof(Settings, amounts)},
    {"samples", 'n', "N", "rows of DATA at most, for losses", OPTION_INT, offsetof(Settings, samples), .low = 1,
     .high = 1e6},
    {"rouge-samples", 0, "N", "rows at most that each change writes out; 0: none", OPTION_INT,
     offsetof(Settings, rouge_samples), .low = 0, .high = 1e6},
    {"group", 0, "N", "columns to a scale of int4 (default: the largest of 128, 64 and 32 that divides)", OPTION_INT,
     offsetof(Settings, group), .low = 32, .high = 128},
    {"svg", 0, "FILE", "draw a heat map of the losses", OPTION_TEXT, offsetof(Settings, svg)},
    {"cache", 0, "FILE", "keep what is measured there, or 'none' (default: a file in the user's cache)", OPTION_TEXT,
     offsetof(Settings, cache)},
    {0},
};

// The parts of a list between commas, in the arena.
static Status list_split(Arena *arena, const char *option, const char *text, const char ***ret_items, size_t *ret_count,
                         Error *err) {
    size_t count = 1, used = 0;
    for (const char *c = text; *c; c++)
        count += *c == ',';
    const char **items = arena_array(arena, count, sizeof *items, err);
    TRY_NEW(items);
    for (const char *at = text; used < count; used++) {
        size_t length = strcspn(at, ",");
        if (!length)
            return FAIL(err, ERR_USAGE, "--%s is '%s', expected a list with commas between", option, text);
        TRY_NEW(items[used] = arena_copy_text(arena, at, length, err));
        at += length + 1;
    }
    *ret_items = items;
    *ret_count = count;
    return OK;
}

static Status schemes_read(Arena *arena, const char *text, SensitivityOptions *measured, Error *err) {
    const char **items;
    WeightScheme *schemes;
    TRY(list_split(arena, "schemes", text, &items, &measured->scheme_count, err));
    TRY_NEW(schemes = arena_array(arena, measured->scheme_count, sizeof *schemes, err));
    for (size_t i = 0; i < measured->scheme_count; i++)
        TRY(weight_scheme_parse("--schemes", items[i], &schemes[i], err));
    measured->schemes = schemes;
    return OK;
}

static Status amounts_read(Arena *arena, const char *text, SensitivityOptions *measured, Error *err) {
    const char **items;
    double *amounts;
    TRY(list_split(arena, "amounts", text, &items, &measured->amount_count, err));
    TRY_NEW(amounts = arena_array(arena, measured->amount_count, sizeof *amounts, err));
    for (size_t i = 0; i < measured->amount_count; i++) {
        char *end;
        amounts[i] = strtod(items[i], &end);
        if (end == items[i] || *end)
            return FAIL(err, ERR_USAGE, "--amounts: '%s' is no number", items[i]);
    }
    measured->amounts = amounts;
    return OK;
}

// What is measured depends on every byte of the model and the data, and on the program. A model that is one file has
// its settings beside it.
static Status key_make(Arena *arena, const char *model, const char *data, const char **ret_key, Error *err) {
    const char *folder = model, *name = "";
    char digest[SHA256_TEXT_BYTES], build[BUILD_ID_BYTES];
    if (path_kind(model) == PATH_FILE) {
        name = path_name(model);
        TRY_NEW(folder = name == model ? "." : arena_copy_text(arena, model, (size_t)(name - model), err));
    }
    TRY(model_digest(arena, folder, digest, err));
    Bytes bytes;
    FileRecord record;
    TRY(file_map(arena, data, &bytes, err));
    file_record_fill(data, bytes, NULL, &record);
    build_id(build);
    TRY_NEW(*ret_key = arena_format(arena, err, "model %s %s; data %s; build %s", digest, name, record.sha256, build));
    return OK;
}

static Status svg_write(CommandRun *run, const SensitivityOptions *measured, const Sensitivity *sensitivity,
                        Error *err) {
    const Settings *settings = run->settings;
    Buffer svg = {0};
    Status status = sensitivity_report_svg(run->arena, measured, sensitivity, &svg, err);
    if (status == OK)
        status = file_replace(settings->svg, svg.data, svg.bytes, err);
    buffer_done(&svg);
    return status;
}

static Status run(CommandRun *run, Error *err) {
    const Settings *settings = run->settings;
    const char *model = run->arguments[0], *path = run->arguments[1];
    DataSet data;
    Evaluations cache = {cache_choose(run->arena, settings->cache, EVALUATIONS_USUAL)};
    if (settings->group & (settings->group - 1))
        return FAIL(err, ERR_USAGE, "--group is %lld, expected 32, 64 or 128", (long long)settings->group);
    SensitivityOptions measured = {.model = model,
                                   .data = &data,
                                   .data_name = path,
                                   .samples = (size_t)settings->samples,
                                   .rouge_samples = (size_t)settings->rouge_samples,
                                   .group = (size_t)settings->group,
                                   .threads = run->common.threads,
                                   .level = run->common.level,
                                   .cache = &cache};
    TRY(schemes_read(run->arena, settings->schemes, &measured, err));
    TRY(amounts_read(run->arena, settings->amounts, &measured, err));
    size_t rows = measured.samples > measured.rouge_samples ? measured.samples : measured.rouge_samples;
    TRY(data_read(run->arena, path, rows, true, &data, err));
    if (cache.path)
        TRY(key_make(run->arena, model, path, &measured.cache_key, err));
    Progress progress;
    progress_init(&progress, "measuring", 0, run->common.quiet);
    measured.meter = (WorkMeter){.tell = progress_tell, .context = &progress};
    Sensitivity sensitivity;
    Status status = sensitivity_measure(run->arena, &measured, &sensitivity, err);
    progress_done(&progress);
    TRY(status);
    if (run->common.json)
        sensitivity_report_json(model, path, &sensitivity, &run->out.text);
    else
        TRY(sensitivity_report_people(run->arena, &measured, &sensitivity, &run->out.text, err));
    TRY(output_line(&run->out, err));
    return settings->svg ? svg_write(run, &measured, &sensitivity, err) : OK;
}

const Command command_sensitivity = {
    .arguments = "MODEL DATA",
    .least = 2,
    .most = 2,
    .help =
        "Tells for each layer what it costs to make that layer alone smaller, and what it saves:\n"
        "  fp16 ... nf4   its weight in that scheme (all weights of linears, the word table and the head)\n"
        "  -30%           a weight: its smallest values zero; self_attn, encoder_attn, ffn: heads or neurons of the\n"
        "                 smallest norm left out\n"
        "  dropped        a whole layer left out\n"
        "The loss is that of DATA's references under teacher forcing; it moves with every change, where ROUGE of a\n"
        "few rows only tells of large ones. What lies before a layer is not run again. Everything is kept in the\n"
        "cache of evaluations as it is measured: what was interrupted goes on, what is asked again is there.\n",
    .settings_bytes = sizeof(Settings),
    .defaults =
        &(const Settings){
            .amounts = "0.1,0.3,0.5,0.7", .schemes = "fp16,int8,int4,nf4", .samples = 64, .rouge_samples = 16},
    .options = options,
    .json = true,
    .run = run,
};
