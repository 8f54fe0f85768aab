// SPDX-License-Identifier: Apache-2.0
// hone eval: ROUGE of a model over a data set, alone or against another model on the same samples.
#include <string.h>

#include "base/file.h"
#include "cli/engine_choice.h"
#include "cli/figures.h"
#include "cli/generation.h"
#include "cli/levers.h"
#include "measure/evaluate.h"

typedef struct Settings {
    RuntimeFlags runtime;
    EngineFlags engine;
    GenerationFlags generation;
    const char *baseline, *predictions, *tokenizer, *types;
    int64_t limit, batch;
    bool stem;
} Settings;

static const Option options[] = {
    {"baseline", 0, "MODEL", "compare with this model on the same samples", OPTION_TEXT, offsetof(Settings, baseline)},
    {"limit", 0, "N", "only the first N samples", OPTION_INT, offsetof(Settings, limit), .low = 1, .high = 1e9},
    {"batch", 0, "N", "samples in flight", OPTION_INT, offsetof(Settings, batch), .low = 1, .high = 4096},
    {"predictions", 0, "FILE", "write every output as JSON lines", OPTION_TEXT, offsetof(Settings, predictions)},
    {"types", 0, "LIST", "ROUGE types, separated by commas", OPTION_TEXT, offsetof(Settings, types)},
    {"stem", 0, NULL, "stem English words", OPTION_FLAG, offsetof(Settings, stem)},
    {"tokenizer", 0, "NAME", "how texts become words: default, unicode or char", OPTION_TEXT,
     offsetof(Settings, tokenizer), .choices = "default|unicode|char"},
    {.kind = OPTION_TABLE, .table = generation_options, .offset = offsetof(Settings, generation)},
    {.kind = OPTION_TABLE, .table = runtime_options, .offset = offsetof(Settings, runtime)},
    {.kind = OPTION_TABLE, .table = engine_options, .offset = offsetof(Settings, engine)},
    {0},
};

typedef struct Outputs {
    FileWriter *writer; // NULL: not asked for
    Progress progress;
    Buffer line;
} Outputs;

static Status on_output(void *context, size_t index, const int32_t *ids, size_t count, const char *text, size_t bytes,
                        Error *err) {
    Outputs *outputs = context;
    progress_step(&outputs->progress, index + 1);
    if (!outputs->writer)
        return OK;
    buffer_clear(&outputs->line);
    buffer_add_text(&outputs->line, "{\"ids\":[");
    for (size_t i = 0; i < count; i++)
        buffer_format(&outputs->line, i ? ",%d" : "%d", ids[i]);
    buffer_add_text(&outputs->line, "],\"text\":");
    if (text)
        buffer_add_json(&outputs->line, text, bytes);
    else
        buffer_add_text(&outputs->line, "null");
    buffer_add_text(&outputs->line, "}\n");
    TRY(buffer_status(&outputs->line, err));
    return file_write(outputs->writer, outputs->line.data, outputs->line.bytes, err);
}

// `parts`: runs it in place of hone; NULL: hone does.
static Status evaluate_model(CommandRun *run, const char *path, const PartsOpener *parts, const DataSet *data,
                             Outputs *outputs, Evaluation *ret, Error *err) {
    const Settings *settings = run->settings;
    RuntimeSettings opened = runtime_settings(run, &settings->runtime, (size_t)settings->batch);
    opened.parts = parts;
    Runtime *runtime;
    TRY(runtime_new(path, &opened, &runtime, err));
    EvaluateSettings evaluation = {.batch = (size_t)settings->batch};
    evaluation.rouge.stem = settings->stem;
    evaluation.on_output = on_output;
    evaluation.context = outputs;
    Status status = generation_choose(run->arena, &settings->generation, runtime, &evaluation.generation, err);
    if (status == OK)
        status = levers_check(&settings->runtime, &evaluation.generation, err);
    if (status == OK)
        status = rouge_types_parse(settings->types, &evaluation.rouge, err);
    if (settings->tokenizer)
        evaluation.rouge.tokenizer = rouge_tokenizer_find(settings->tokenizer);
    progress_init(&outputs->progress, "evaluating", data->count, run->common.quiet);
    if (status == OK) {
        status = evaluate(runtime, data, &evaluation, ret, err);
        if (status == ERR_FORMAT || status == ERR_LIMIT)
            status = error_context(err, "file '%s'", run->arguments[1]);
    }
    progress_done(&outputs->progress);
    if (status == OK && (!run->common.json || engine_screen_refusal(runtime->engine)))
        levers_tell(run, &ret->runtime, &ret->counts, engine_screen_refusal(runtime->engine));
    runtime_free(runtime);
    return status;
}

static json_t *paired_json(const double *baseline, const double *candidate, size_t count, bool less_is_better) {
    return loss_json(statistics_paired_loss(baseline, candidate, count, less_is_better, BOOTSTRAP_SEED));
}

static json_t *evaluation_json(const Evaluation *e) {
    json_t *report = json_pack("{s:I}", "samples", (json_int_t)e->samples);
    if (e->labelled) {
        json_object_set_new(
            report, "exact",
            interval_json(statistics_bootstrap((const double *)(void *)e->exact.data, e->samples, BOOTSTRAP_SEED)));
        json_object_set_new(report, "token_error",
                            interval_json(statistics_bootstrap((const double *)(void *)e->token_error.data, e->samples,
                                                               BOOTSTRAP_SEED)));
    }
    for (size_t k = 0; !e->labelled && k < e->rouge.options.type_count; k++)
        json_object_set_new(report, rouge_type_name(e->rouge.options.types[k]),
                            interval_json(rouge_aggregate_interval(&e->rouge, k, ROUGE_FMEASURE, BOOTSTRAP_SEED)));
    json_object_set_new(report, "ms_per_sample", json_real(e->ms_per_sample));
    json_object_set_new(report, "outputs_sha256", json_string(e->outputs_sha256));
    levers_report(&e->runtime, &e->counts, report);
    return report;
}

static json_t *losses_json(const Evaluation *base, const Evaluation *e) {
    json_t *losses = json_object();
    if (e->labelled) {
        const double *exact[] = {(const double *)(void *)base->exact.data, (const double *)(void *)e->exact.data};
        const double *errors[] = {(const double *)(void *)base->token_error.data,
                                  (const double *)(void *)e->token_error.data};
        json_object_set_new(losses, "exact", paired_json(exact[0], exact[1], e->samples, false));
        json_object_set_new(losses, "token_error", paired_json(errors[0], errors[1], e->samples, true));
    }
    for (size_t k = 0; !e->labelled && k < e->rouge.options.type_count; k++)
        json_object_set_new(losses, rouge_type_name(e->rouge.options.types[k]),
                            paired_json(rouge_aggregate_values(&base->rouge, k, ROUGE_FMEASURE),
                                        rouge_aggregate_values(&e->rouge, k, ROUGE_FMEASURE), e->samples, false));
    return losses;
}

static double member(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

// A line for each measure: mean and interval, the baseline's, and the loss.
static void print_people(Buffer *text, const json_t *report) {
    const json_t *baseline = json_object_get(report, "baseline"), *losses = json_object_get(report, "loss");
    const char *key;
    json_t *value;
    buffer_format(text, "%lld samples, %.1f ms a sample\n",
                  (long long)json_integer_value(json_object_get(report, "samples")), member(report, "ms_per_sample"));
    json_object_foreach((json_t *)report, key, value) {
        if (!json_object_get(value, "mean"))
            continue;
        buffer_format(text, "%-12s %7.2f %% [%.2f, %.2f]", key, 100 * member(value, "mean"), 100 * member(value, "low"),
                      100 * member(value, "high"));
        const json_t *loss = json_object_get(losses, key);
        if (loss)
            buffer_format(text, "   baseline %.2f %%   loss %.2f %% [%.2f, %.2f]",
                          100 * member(json_object_get(baseline, key), "mean"), 100 * member(loss, "relative"),
                          100 * member(loss, "low"), 100 * member(loss, "high"));
        buffer_add_char(text, '\n');
    }
    text->bytes--; // output_line ends the last one
}

static Status report_write(CommandRun *run, const Evaluation *e, const Evaluation *base, Error *err) {
    json_t *report = evaluation_json(e);
    if (base) {
        json_object_set_new(report, "baseline", evaluation_json(base));
        json_object_set_new(report, "loss", losses_json(base, e));
    }
    Status status;
    if (run->common.json)
        status = output_json(&run->out, report, err);
    else {
        print_people(&run->out.text, report);
        status = output_line(&run->out, err);
    }
    json_decref(report);
    return status;
}

static Status evaluate_both(CommandRun *run, const DataSet *data, Outputs *outputs, Error *err) {
    const Settings *settings = run->settings;
    Evaluation base = {0}, e = {0};
    Outputs silent = {0};
    const PartsOpener *parts;
    TRY(engine_choose(run, &settings->engine, &settings->runtime, &parts, err));
    if (settings->baseline)
        TRY(evaluate_model(run, settings->baseline, NULL, data, &silent, &base, err));
    Status status = evaluate_model(run, run->arguments[0], parts, data, outputs, &e, err);
    if (status == OK && outputs->writer) { // in their place before the report says that all went well
        FileWriter *writer = outputs->writer;
        outputs->writer = NULL;
        status = file_commit(writer, err);
    }
    if (status == OK)
        status = report_write(run, &e, settings->baseline ? &base : NULL, err);
    evaluation_done(&base);
    evaluation_done(&e);
    return status;
}

static Status run(CommandRun *run, Error *err) {
    const Settings *settings = run->settings;
    DataSet data;
    TRY(data_read(run->arena, run->arguments[1], (size_t)settings->limit, true, &data, err));
    Outputs outputs = {0};
    if (settings->predictions)
        TRY(file_create(settings->predictions, &outputs.writer, err));
    Status status = evaluate_both(run, &data, &outputs, err);
    buffer_done(&outputs.line);
    file_discard(outputs.writer);
    return status;
}

const Command command_eval = {
    .arguments = "MODEL DATA.jsonl",
    .least = 2,
    .most = 2,
    .help =
        "Runs a model over a data set and gives ROUGE F-measures with 95 % bootstrap intervals; with --baseline, the\n"
        "relative loss against another model with a paired interval (--engine runs MODEL, hone the baseline). Rows\n"
        "hold a source under text, dialogue or document and the reference under summary or summaries; or input_ids\n"
        "and label_ids, for exact match and token error.\n",
    .settings_bytes = sizeof(Settings),
    .defaults = &(const Settings){.batch = 16, .types = ROUGE_TYPES_USUAL},
    .options = options,
    .json = true,
    .run = run,
};
