// SPDX-License-Identifier: Apache-2.0
// hone bench: speed and memory of models over a workload, each in its own process, in turns; once, or point by point of
// a sweep. The answer is written before anything is kept or drawn, so that nothing measured is lost.
#include <string.h>

#include "base/cache.h"
#include "base/memory.h"
#include "cli/bench_onnx.h"
#include "cli/bench_report.h"
#include "cli/bench_serving.h"
#include "cli/generation.h"
#include "cli/levers.h"
#include "format/onnx/onnx.h"

typedef struct Settings {
    RuntimeFlags runtime;
    OrtFlags ort;
    GenerationFlags generation;
    ServingFlags serving;
    const char *workload, *sweep, *svg, *history, *engine, *level;
    int64_t batch, new_tokens, source_tokens, samples, warmup, runs, passes, vocabulary;
    bool fill, no_history;
} Settings;

static const Option options[] = {
    {"workload", 0, "FILE", "JSON lines of input_ids or of texts, as hone eval takes them (default: random ids)",
     OPTION_TEXT, offsetof(Settings, workload)},
    {"batch", 0, "N", "sources in a call", OPTION_INT, offsetof(Settings, batch), .low = 1, .high = 4096},
    {"new-tokens", 0, "N", "force every output to exactly N tokens", OPTION_INT, offsetof(Settings, new_tokens),
     .low = 1, .high = 1e6},
    {"source-tokens", 0, "N", "repeat or cut every source to N tokens", OPTION_INT, offsetof(Settings, source_tokens),
     .low = 1, .high = 1e6},
    {"fill", 0, NULL, "repeat the sources of a batch up to its longest, which costs what padding costs", OPTION_FLAG,
     offsetof(Settings, fill)},
    {"samples", 0, "N", "only the first N of the workload", OPTION_INT, offsetof(Settings, samples), .low = 1,
     .high = 1e6},
    {"warmup", 0, "N", "calls before the clock counts", OPTION_INT, offsetof(Settings, warmup), .low = 0, .high = 1e6},
    {"runs", 0, "N", "timed calls, rounded up to whole passes over the workload", OPTION_INT, offsetof(Settings, runs),
     .low = 1, .high = 1e6},
    {"passes", 0, "N", "timed passes over the workload, in place of --runs", OPTION_INT, offsetof(Settings, passes),
     .low = 1, .high = 1e6},
    {"sweep", 0, "KEY=V,V..V", "measure at each value of source-tokens, new-tokens, batch, beams or threads",
     OPTION_TEXT, offsetof(Settings, sweep)},
    {"svg", 0, "FILE", "draw the sweep", OPTION_TEXT, offsetof(Settings, svg)},
    {"history", 0, "FILE", "append to this history (default: the one in the user's cache)", OPTION_TEXT,
     offsetof(Settings, history)},
    {"no-history", 0, NULL, "keep nothing", OPTION_FLAG, offsetof(Settings, no_history)},
    {"engine", 0, "A,B", "what runs: hone (the default), ort (ONNX Runtime, on ONNX files) or hone,ort", OPTION_TEXT,
     offsetof(Settings, engine)},
    {"level", 0, "N", "which passes of hone opt ONNX files go through before hone runs them: 0, 1, 2 (the default), 99",
     OPTION_TEXT, offsetof(Settings, level), .choices = "0|1|2|99"},
    {"vocabulary", 0, "N", "integer inputs of ONNX files are below N (default: 100)", OPTION_INT,
     offsetof(Settings, vocabulary), .low = 1, .high = 1 << 30},
    {.kind = OPTION_TABLE, .table = ort_options, .offset = offsetof(Settings, ort)},
    {.kind = OPTION_TABLE, .table = serving_options, .offset = offsetof(Settings, serving)},
    {.kind = OPTION_TABLE, .table = runtime_options, .offset = offsetof(Settings, runtime)},
    {.kind = OPTION_TABLE, .table = generation_options, .offset = offsetof(Settings, generation)},
    {0},
};

// All models in all engines, the engines of one model side by side.
typedef struct Subject {
    const char *model;
    EngineKind kind;
    const PartsOpener *parts; // NULL: hone's own
} Subject;

typedef struct Subjects {
    Subject *items;
    size_t count;
    OrtFlags ort; // with what turns need
} Subjects;

// What is measured at one point: the settings, one of them replaced by a sweep's value.
typedef struct Point {
    const Settings *settings;
    int64_t batch, new_tokens, source_tokens, beams, threads; // beams 0: as the options have it
    const Sweep *sweep;
    int64_t value;
} Point;

static Point point_of(const CommandRun *run, const Sweep *sweep, size_t index) {
    const Settings *settings = run->settings;
    Point point = {.settings = settings,
                   .batch = settings->batch,
                   .new_tokens = settings->new_tokens,
                   .source_tokens = settings->source_tokens,
                   .threads = run->common.threads,
                   .sweep = sweep};
    if (!sweep)
        return point;
    int64_t *const members[SWEEP_KEY_COUNT] = {[SWEEP_SOURCE] = &point.source_tokens,
                                               [SWEEP_NEW] = &point.new_tokens,
                                               [SWEEP_BATCH] = &point.batch,
                                               [SWEEP_BEAMS] = &point.beams,
                                               [SWEEP_THREADS] = &point.threads};
    *members[sweep->key] = point.value = sweep->values[index];
    return point;
}

static Status apply_options(const void *context, Arena *arena, GenerationOptions *generation, Error *err) {
    const Point *point = context;
    generation->num_beams = generation->num_return_sequences = 1;
    generation->do_sample = false;
    TRY(generation_flags_apply(arena, &point->settings->generation, generation, err));
    if (point->beams)
        generation->num_beams = point->beams;
    if (point->new_tokens)
        generation->min_new_tokens = generation->max_new_tokens = point->new_tokens;
    return levers_check(&point->settings->runtime, generation, err);
}

// All models in turn, call by call.
static Status take_turns(CommandRun *run, BenchResult *results, size_t count, size_t warmup, Error *err) {
    BenchModel *models = arena_array(run->arena, count, sizeof *models, err);
    TRY_NEW(models);
    for (size_t m = 0; m < count; m++)
        models[m] = (BenchModel){.path = results[m].model, .work = results[m].work};
    Progress progress;
    progress_init(&progress, "measuring", 0, run->common.quiet);
    BenchTurns turns = {warmup, results[0].passes, progress_tell, &progress};
    Status status = bench_turns(run->arena, models, count, &turns, err);
    progress_done(&progress);
    for (size_t m = 0; m < count && status == OK; m++) {
        results[m].times_ns = models[m].times_ns;
        results[m].report = models[m].report;
    }
    return status;
}

// One subject's work at one point: the sources as its own ids.
static Status work_make(CommandRun *run, const Point *point, const Subject *subject, const BenchWork **ret_work,
                        Error *err) {
    const Settings *settings = run->settings;
    BenchWork *work = arena_array(run->arena, 1, sizeof *work, err);
    TRY_NEW(work);
    work->options = apply_options;
    work->context = point;
    work->runtime = runtime_settings(run, &settings->runtime, (size_t)point->batch);
    work->runtime.threads = (int)point->threads;
    work->runtime.parts = subject->parts;
    work->skips_limit = subject->parts != NULL;
    // Hugging Face forces </s> as the last token where others do not: digests compare what comes before it.
    work->digest_leaves_out = point->new_tokens ? 1 : 0;
    BenchSources sources = {.workload = settings->workload,
                            .samples = (size_t)settings->samples,
                            .tokens = (size_t)point->source_tokens,
                            .batch = (size_t)point->batch,
                            .fill = settings->fill};
    TRY(bench_work_read(run, &sources, subject->model, work, err));
    *ret_work = work;
    return OK;
}

// Measures all subjects at one point into results[subjects].
static Status measure(CommandRun *run, const Subjects *subjects, const Point *point, BenchResult *results, Error *err) {
    const Settings *settings = run->settings;
    GenerationOptions generation = generation_defaults();
    TRY(apply_options(point, run->arena, &generation, err));
    for (size_t m = 0; m < subjects->count; m++) {
        const Subject *subject = &subjects->items[m];
        results[m] = (BenchResult){.model = subject->model,
                                   .engine = subject->kind,
                                   .beams = generation.num_beams,
                                   .sweep = point->sweep,
                                   .value = point->value};
        TRY(work_make(run, point, subject, &results[m].work, err));
        size_t batches = bench_batches(results[m].work);
        results[m].passes =
            settings->passes ? (size_t)settings->passes : ((size_t)settings->runs + batches - 1) / batches;
    }
    return take_turns(run, results, subjects->count, (size_t)settings->warmup, err);
}

static Status answer(CommandRun *run, const BenchResult *results, size_t count, bool first, Error *err) {
    for (size_t m = 0; m < count; m++) {
        json_t *report = bench_report_json(run, &results[m], err);
        TRY_NEW(report);
        if (!run->common.json)
            bench_report_people(&results[m], report, first && m == 0, &run->out.text);
        Status status = run->common.json ? output_json(&run->out, report, err) : output_line(&run->out, err);
        json_decref(report);
        TRY(status);
    }
    return output_flush(&run->out, err);
}

// What was asked for, as the history keeps it: all that the report itself does not tell.
static json_t *settings_json(const Settings *settings) {
    json_t *object = json_pack("{s:I, s:I, s:b}", "warmup", (json_int_t)settings->warmup, "runs",
                               (json_int_t)settings->runs, "fill", settings->fill);
    if (object && settings->passes)
        json_object_set_new(object, "passes", json_integer(settings->passes));
    if (object && settings->workload)
        json_object_set_new(object, "workload", json_string(settings->workload));
    if (object && settings->new_tokens)
        json_object_set_new(object, "new_tokens", json_integer(settings->new_tokens));
    if (object && settings->source_tokens)
        json_object_set_new(object, "source_tokens", json_integer(settings->source_tokens));
    for (size_t i = 0; object && generation_options[i].name; i++) {
        const Option *option = &generation_options[i];
        const char *value;
        memcpy(&value, (const unsigned char *)&settings->generation + option->offset, sizeof value);
        if (option->kind != OPTION_FLAG && value)
            json_object_set_new(object, option->name, json_string(value));
    }
    return object;
}

// A history named on the command line has to take the results; without one, the user's own is tried.
static Status keep(CommandRun *run, const BenchResult *results, size_t count, Error *err) {
    const Settings *settings = run->settings;
    if (settings->no_history)
        return OK;
    char *standard = NULL;
    Status status = settings->history ? OK : cache_path(run->arena, "history.sqlite", &standard, err);
    if (status == OK) {
        json_t *asked = settings_json(settings);
        status = bench_report_keep(run, settings->history ? settings->history : standard, results, count, asked, err);
        json_decref(asked);
    }
    if (status == OK || settings->history)
        return status;
    if (!run->common.quiet)
        fprintf(stderr, "hone: not kept in the history: %s\n", err->message);
    return OK;
}

// Either all models are ONNX files or none is.
static Status models_are_onnx(CommandRun *run, bool *ret, Error *err) {
    *ret = false;
    for (size_t m = 0; m < run->argument_count; m++) {
        bool onnx;
        TRY(onnx_is_file(run->arena, run->arguments[m], &onnx, err));
        if (m && onnx != *ret)
            return FAIL(err, ERR_USAGE, "'%s' is %s ONNX file and '%s' is %s: they are measured apart",
                        run->arguments[0], *ret ? "an" : "no", run->arguments[m], onnx ? "one" : "none");
        *ret = onnx;
    }
    const Settings *settings = run->settings;
    if (!*ret && settings->level)
        return FAIL(err, ERR_USAGE, "--level is for ONNX files, and '%s' is none", run->arguments[0]);
    return OK;
}

static Status run_onnx_files(CommandRun *run, Error *err) {
    const Settings *settings = run->settings;
    const char *given = settings->workload     ? "workload"
                        : settings->sweep      ? "sweep"
                        : settings->svg        ? "svg"
                        : settings->history    ? "history"
                        : settings->new_tokens ? "new-tokens"
                        : settings->samples    ? "samples"
                        : settings->passes     ? "passes"
                        : settings->fill       ? "fill"
                                               : NULL;
    if (given || serving_wanted(&settings->serving))
        return FAIL(err, ERR_USAGE, "--%s is for models that generate; ONNX files run once a call on inputs made up",
                    given ? given : "outputs");
    BenchOnnx asked = {.engines = settings->engine,
                       .level = settings->level ? (int)strtol(settings->level, NULL, 10) : 2,
                       .flags = &settings->ort,
                       .inputs = {settings->batch, settings->source_tokens, settings->vocabulary},
                       .warmup = settings->warmup,
                       .runs = settings->runs};
    return bench_onnx(run, &asked, err);
}

static Status subjects_make(CommandRun *run, Subjects *ret, Error *err) {
    const Settings *settings = run->settings;
    EngineKind kinds[ENGINE_KINDS];
    size_t kind_count = 0;
    const PartsOpener *opener = NULL;
    TRY(engine_kinds_parse(settings->engine, kinds, &kind_count, err));
    TRY_NEW(ret->items = arena_array(run->arena, kind_count * run->argument_count, sizeof *ret->items, err));
    ret->ort = settings->ort;
    ret->ort.takes_turns = kind_count * run->argument_count > 1;
    TRY(ort_opener(run, &ret->ort, &opener, err));
    if (kind_count == 1 && kinds[0] == ENGINE_ORT)
        TRY(engine_own_refuse(&settings->runtime, err));
    for (size_t m = 0; m < run->argument_count; m++)
        for (size_t k = 0; k < kind_count; k++)
            ret->items[ret->count++] = (Subject){run->arguments[m], kinds[k], kinds[k] == ENGINE_ORT ? opener : NULL};
    return OK;
}

static Status run_models(CommandRun *run, Error *err) {
    const Settings *settings = run->settings;
    Sweep swept, *sweep = settings->sweep ? &swept : NULL;
    if (settings->svg && !sweep)
        return FAIL(err, ERR_USAGE, "--svg draws a sweep, and there is no --sweep");
    if (sweep)
        TRY(sweep_parse(settings->sweep, sweep, err));
    Subjects subjects = {0};
    TRY(subjects_make(run, &subjects, err));
    size_t points = sweep ? sweep->count : 1, models = subjects.count;
    BenchResult *results = arena_array(run->arena, points * models, sizeof *results, err);
    TRY_NEW(results);
    size_t done = 0;
    Status status = OK;
    for (; done < points && status == OK; done += status == OK) {
        Point point = point_of(run, sweep, done);
        status = measure(run, &subjects, &point, results + done * models, err);
        if (status == OK)
            status = answer(run, results + done * models, models, done == 0, err);
    }
    Error kept_err;
    Status kept = keep(run, results, done * models, status == OK ? err : &kept_err);
    TRY(status);
    TRY(kept);
    return settings->svg ? bench_report_draw(run, settings->svg, sweep, results, models, err) : OK;
}

static Status run(CommandRun *run, Error *err) {
    const Settings *settings = run->settings;
    bool onnx;
    TRY(models_are_onnx(run, &onnx, err));
    if (onnx)
        return run_onnx_files(run, err);
    if (!serving_wanted(&settings->serving))
        return run_models(run, err);
    if (settings->engine)
        return FAIL(err, ERR_USAGE,
                    "--engine is for calls of whole batches: leave it out with --outputs and --find-batch");
    return bench_serving(run, &settings->serving, &settings->runtime, settings->workload, (size_t)settings->samples,
                         (size_t)settings->batch, err);
}

const Command command_bench = {
    .arguments = "MODEL...",
    .least = 1,
    .most = 64,
    .help =
        "Measures models over a workload: each loads in a process of its own, and all take turns, call by call. A "
        "call\n"
        "is one batch, ids in to ids out; batches of more than one are sorted by length. Texts are made ids before\n"
        "the clock starts, by each model's own tokenizer. limit_ms is what this machine's read bandwidth and\n"
        "arithmetic peak allow at best. --sweep batch=1..128 measures at 1, 2, 4 ... 128. What is measured is kept\n"
        "in a history; 'hone history' lists it.\n"
        "With --outputs or --find-batch, requests of many lengths arrive and run together, as in hone serve.\n"
        "With --engine hone,ort a folder of ONNX files (hone export) is measured in both, by the same search; lines\n"
        "tell the engine, and digests whether their ids are equal.\n"
        "A single ONNX file runs once a call, on inputs made up: dimensions called batch are --batch, other\n"
        "variables --source-tokens (128).\n",
    .settings_bytes = sizeof(Settings),
    .defaults =
        &(const Settings){.batch = 1, .warmup = 10, .runs = 100, .serving = {.requests = 400, .most_batch = 128}},
    .options = options,
    .json = true,
    .run = run,
};
