// SPDX-License-Identifier: Apache-2.0
// hone bench: speed and memory of models over a workload, each in its own process, in turns.
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "cli/generation.h"
#include "measure/bench.h"
#include "measure/data.h"
#include "measure/statistics.h"

typedef struct Settings {
    GenerationFlags generation;
    const char *workload;
    int64_t batch, new_tokens, samples, warmup, runs;
} Settings;

static const Option options[] = {
    {"workload", 0, "FILE", "JSON lines of {\"input_ids\":[...]} (default: random ids)", OPTION_TEXT,
     offsetof(Settings, workload)},
    {"batch", 0, "N", "sources in a call", OPTION_INT, offsetof(Settings, batch), .low = 1, .high = 4096},
    {"new-tokens", 0, "N", "force every output to exactly N tokens", OPTION_INT, offsetof(Settings, new_tokens),
     .low = 1, .high = 1e6},
    {"samples", 0, "N", "only the first N of the workload", OPTION_INT, offsetof(Settings, samples), .low = 1,
     .high = 1e6},
    {"warmup", 0, "N", "calls before the clock counts", OPTION_INT, offsetof(Settings, warmup), .low = 0, .high = 1e6},
    {"runs", 0, "N", "timed calls, rounded up to whole passes over the workload", OPTION_INT, offsetof(Settings, runs),
     .low = 1, .high = 1e6},
    {.kind = OPTION_TABLE, .table = generation_options, .offset = offsetof(Settings, generation)},
    {0},
};

enum { RANDOM_SAMPLES = 16 };

// Pointers into one array of rows: equal lengths keep their order.
static int by_length(const void *a, const void *b) {
    const DataRow *x = *(const DataRow *const *)a, *y = *(const DataRow *const *)b;
    if (x->id_count != y->id_count)
        return x->id_count < y->id_count ? -1 : 1;
    return x < y ? -1 : x > y;
}

// What made-up sources may have for all models to take them: a model tells in its config.json, if it has one.
static Status random_bounds(CommandRun *run, int64_t *positions, int64_t *vocabulary, Error *err) {
    for (size_t m = 0; m < run->argument_count; m++) {
        const char *model = run->arguments[m];
        char *path = path_kind(model) == PATH_FILE
                         ? arena_format(run->arena, err, "%.*sconfig.json", (int)(path_name(model) - model), model)
                         : path_join(run->arena, model, "config.json", err);
        TRY_NEW(path);
        json_t *config = NULL;
        if (path_kind(path) == PATH_FILE)
            TRY(json_read(run->arena, path, true, &config, err));
        int64_t there = *positions, ids = *vocabulary;
        TRY(json_get_int(config, path, "max_position_embeddings", 1, INT32_MAX, &there, err));
        TRY(json_get_int(config, path, "vocab_size", 1, INT32_MAX, &ids, err));
        *positions = there < *positions ? there : *positions;
        *vocabulary = ids < *vocabulary ? ids : *vocabulary;
    }
    return OK;
}

// Sources of 16 to 300 random tokens, fewer where a model takes no more, the same every time.
static Status random_rows(CommandRun *run, DataSet *ret, Error *err) {
    Arena *arena = run->arena;
    DataSet set = {.count = RANDOM_SAMPLES};
    int64_t most = 300, vocabulary = 60;
    TRY(random_bounds(run, &most, &vocabulary, err));
    TRY_NEW(set.rows = arena_array(arena, set.count, sizeof *set.rows, err));
    Random random = {1};
    for (size_t i = 0; i < set.count; i++) {
        size_t count = 16 + random_below(&random, 285);
        count = count < (size_t)most ? count : (size_t)most;
        int32_t *ids = arena_array(arena, count, sizeof *ids, err);
        TRY_NEW(ids);
        for (size_t t = 0; t < count; t++)
            ids[t] = (int32_t)(vocabulary > 4 ? 4 + random_below(&random, (uint32_t)vocabulary - 4) : 0);
        set.rows[i] = (DataRow){.ids = ids, .id_count = count};
    }
    *ret = set;
    return OK;
}

// The workload in the order of its batches: sorted by length when they hold more than one.
static Status work_read(CommandRun *run, BenchWork *work, Error *err) {
    const Settings *settings = run->settings;
    DataSet set;
    if (settings->workload)
        TRY(data_read(run->arena, settings->workload, (size_t)settings->samples, false, &set, err));
    else
        TRY(random_rows(run, &set, err));
    if (settings->samples && (size_t)settings->samples < set.count)
        set.count = (size_t)settings->samples;
    const int32_t **sources = arena_array(run->arena, set.count, sizeof *sources, err);
    TRY_NEW(sources);
    size_t *lengths = arena_array(run->arena, set.count, sizeof *lengths, err);
    TRY_NEW(lengths);
    const DataRow **order = arena_array(run->arena, set.count, sizeof *order, err);
    TRY_NEW(order);
    for (size_t i = 0; i < set.count; i++) {
        if (!set.rows[i].ids)
            return FAIL(err, ERR_FORMAT, "file '%s': row %zu has no input_ids", settings->workload, i + 1);
        order[i] = &set.rows[i];
    }
    if (settings->batch > 1)
        qsort(order, set.count, sizeof *order, by_length);
    for (size_t i = 0; i < set.count; i++) {
        sources[i] = order[i]->ids;
        lengths[i] = order[i]->id_count;
    }
    work->sources = sources;
    work->lengths = lengths;
    work->samples = set.count;
    return OK;
}

static Status apply_options(const void *context, Arena *arena, GenerationOptions *generation, Error *err) {
    const Settings *settings = context;
    generation->num_beams = generation->num_return_sequences = 1;
    generation->do_sample = false;
    TRY(generation_flags_apply(arena, &settings->generation, generation, err));
    if (settings->new_tokens)
        generation->min_new_tokens = generation->max_new_tokens = settings->new_tokens;
    return OK;
}

typedef struct Measured {
    Bench *bench;
    double *ns;
    BenchReport report;
} Measured;

static Status measure(CommandRun *run, const BenchWork *work, Measured *models, size_t passes, Error *err) {
    const Settings *settings = run->settings;
    size_t batches = bench_batches(work), calls = batches * passes;
    Progress progress;
    for (size_t m = 0; m < run->argument_count; m++) {
        TRY_NEW(models[m].ns = arena_array(run->arena, calls, sizeof *models[m].ns, err));
        TRY(bench_start(run->arguments[m], work, &models[m].bench, err));
    }
    progress_init(&progress, "measuring", (calls + (size_t)settings->warmup) * run->argument_count, run->common.quiet);
    for (size_t i = 0; i < (size_t)settings->warmup + calls; i++) {
        bool timed = i >= (size_t)settings->warmup;
        size_t index = timed ? i - (size_t)settings->warmup : i;
        for (size_t m = 0; m < run->argument_count; m++) {
            uint64_t ns;
            TRY(bench_call(models[m].bench, index % batches, &ns, err));
            if (timed)
                models[m].ns[index] = (double)ns;
            progress_step(&progress, i * run->argument_count + m + 1);
        }
    }
    progress_done(&progress);
    for (size_t m = 0; m < run->argument_count; m++)
        TRY(bench_finish(models[m].bench, &models[m].report, err));
    return OK;
}

static json_t *report_json(CommandRun *run, const BenchWork *work, const char *path, Measured *model, size_t passes,
                           int64_t beams) {
    size_t calls = bench_batches(work) * passes, tokens = 0;
    double total = statistics_mean(model->ns, calls) * (double)calls * 1e-6, samples = (double)(work->samples * passes);
    LatencySummary latency = statistics_latency(model->ns, calls);
    for (size_t i = 0; i < work->samples; i++)
        tokens += work->lengths[i];
    const BenchReport *r = &model->report;
    json_t *lengths = json_array();
    for (size_t i = 0; i < r->new_token_kinds; i++)
        json_array_append_new(lengths, json_integer((json_int_t)r->new_tokens[i]));
    return json_pack(
        "{s:s, s:s, s:I, s:I, s:i, s:I, s:I, s:o, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:s, s:s}",
        "engine", "hone", "model", path_name(path), "batch", (json_int_t)work->batch, "beams", (json_int_t)beams,
        "threads", run->common.threads, "samples", (json_int_t)work->samples, "source_tokens", (json_int_t)tokens,
        "new_tokens", lengths, "ms_per_sample", total / samples, "samples_per_s", samples / total * 1e3, "mean_ms",
        latency.mean_ms, "p50_ms", latency.p50_ms, "p95_ms", latency.p95_ms, "p99_ms", latency.p99_ms, "weights_mb",
        r->weights_mb, "rss_mb", r->rss_mb, "peak_rss_mb", r->peak_rss_mb, "load_ms", r->load_ms, "limit_ms",
        r->limit_ms, "cpu", cpu_level_name(run->common.level), "digest", r->digest);
}

static double member(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static void print_people(Buffer *text, const json_t *report, bool first) {
    if (first)
        buffer_format(text, "%-24s %10s %10s %10s %10s %10s %10s %9s %9s %9s %9s\n", "model", "ms/sample", "samples/s",
                      "mean ms", "p50 ms", "p95 ms", "p99 ms", "limit ms", "weights", "rss MB", "peak MB");
    buffer_format(text, "%-24s %10.2f %10.2f %10.2f %10.2f %10.2f %10.2f %9.2f %9.1f %9.1f %9.1f",
                  json_string_value(json_object_get(report, "model")), member(report, "ms_per_sample"),
                  member(report, "samples_per_s"), member(report, "mean_ms"), member(report, "p50_ms"),
                  member(report, "p95_ms"), member(report, "p99_ms"), member(report, "limit_ms"),
                  member(report, "weights_mb"), member(report, "rss_mb"), member(report, "peak_rss_mb"));
}

static Status report_all(CommandRun *run, const BenchWork *work, Measured *models, size_t passes, Error *err) {
    GenerationOptions generation = generation_defaults();
    TRY(apply_options(run->settings, run->arena, &generation, err));
    for (size_t m = 0; m < run->argument_count; m++) {
        json_t *report = report_json(run, work, run->arguments[m], &models[m], passes, generation.num_beams);
        if (!report)
            return FAIL(err, ERR_MEMORY, "no memory for the report");
        if (!run->common.json)
            print_people(&run->out.text, report, m == 0);
        Status status = run->common.json ? output_json(&run->out, report, err) : output_line(&run->out, err);
        json_decref(report);
        TRY(status);
    }
    return OK;
}

static Status run(CommandRun *run, Error *err) {
    const Settings *settings = run->settings;
    BenchWork work = {.batch = (size_t)settings->batch, .options = apply_options, .context = settings};
    work.runtime = (RuntimeSettings){run->common.level, run->common.threads, (size_t)settings->batch};
    // Hugging Face forces </s> as the last token where others do not: digests compare what comes before it.
    work.digest_leaves_out = settings->new_tokens ? 1 : 0;
    TRY(work_read(run, &work, err));
    Measured *models = arena_array(run->arena, run->argument_count, sizeof *models, err);
    TRY_NEW(models);
    size_t batches = bench_batches(&work), passes = ((size_t)settings->runs + batches - 1) / batches;
    Status status = measure(run, &work, models, passes, err);
    for (size_t m = 0; m < run->argument_count; m++)
        bench_free(models[m].bench);
    TRY(status);
    return report_all(run, &work, models, passes, err);
}

const Command command_bench = {
    .arguments = "MODEL...",
    .least = 1,
    .most = 64,
    .help = "Measures models over a workload: each loads in a process of its own, and all take turns, call by call. A "
            "call\n"
            "is one batch, ids in to ids out; batches of more than one are sorted by length. limit_ms is what this\n"
            "machine's read bandwidth and arithmetic peak allow at best.\n",
    .settings_bytes = sizeof(Settings),
    .defaults = &(const Settings){.batch = 1, .warmup = 10, .runs = 100},
    .options = options,
    .json = true,
    .run = run,
};
