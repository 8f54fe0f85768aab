// SPDX-License-Identifier: Apache-2.0
// Forms of a result. Times of a pass are the sums of its calls, so that spreads are those of whole passes.
#include "cli/bench_report.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/levers.h"
#include "cli/revision.h"
#include "measure/history.h"
#include "measure/model_mark.h"
#include "measure/plot.h"

static double pass_ms_per_sample(const BenchResult *result, size_t pass) {
    size_t batches = bench_batches(result->work);
    double sum = 0;
    for (size_t i = 0; i < batches; i++)
        sum += result->times_ns[pass * batches + i];
    return sum * 1e-6 / (double)result->work->samples;
}

// The mean over all passes, as the bench line has it, and the fastest and the slowest pass.
static PlotPoint result_point(const BenchResult *result) {
    PlotPoint point = {.x = (double)result->value, .low = INFINITY, .high = -INFINITY};
    for (size_t pass = 0; pass < result->passes; pass++) {
        double ms = pass_ms_per_sample(result, pass);
        point.y += ms / (double)result->passes;
        point.low = fmin(point.low, ms);
        point.high = fmax(point.high, ms);
    }
    point.low = fmin(point.low, point.y);
    point.high = fmax(point.high, point.y);
    return point;
}

json_t *bench_report_json(const CommandRun *run, const BenchResult *result, Error *err) {
    const BenchWork *work = result->work;
    const BenchReport *r = &result->report;
    size_t calls = bench_batches(work) * result->passes, tokens = 0;
    double ms_per_sample = result_point(result).y;
    double *sorted = arena_array(run->arena, calls, sizeof *sorted, err);
    if (!sorted)
        return NULL;
    memcpy(sorted, result->times_ns, calls * sizeof *sorted);
    LatencySummary latency = statistics_latency(sorted, calls);
    for (size_t i = 0; i < work->samples; i++)
        tokens += work->lengths[i];
    json_t *lengths = json_array();
    for (size_t i = 0; i < r->new_token_kinds; i++)
        json_array_append_new(lengths, json_integer((json_int_t)r->new_tokens[i]));
    json_t *line = json_pack(
        "{s:s, s:s, s:I, s:I, s:i, s:I, s:I, s:o, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:s, s:f, "
        "s:s, s:s}",
        "engine", engine_kind_name(result->engine), "model", path_name(result->model), "batch", (json_int_t)work->batch,
        "beams", (json_int_t)result->beams, "threads", work->runtime.threads, "samples", (json_int_t)work->samples,
        "source_tokens", (json_int_t)tokens, "new_tokens", lengths, "ms_per_sample", ms_per_sample, "samples_per_s",
        1e3 / ms_per_sample, "mean_ms", latency.mean_ms, "p50_ms", latency.p50_ms, "p95_ms", latency.p95_ms, "p99_ms",
        latency.p99_ms, "weights_mb", r->weights_mb, "rss_mb", r->rss_mb, "peak_rss_mb", r->peak_rss_mb, "load_ms",
        r->load_ms, "limit_ms", r->limit_ms, "kv_type", kv_kind_name(r->runtime.kv_kind), "kv_token_kb", r->kv_token_kb,
        "cpu", cpu_level_name(run->common.level), "digest", r->digest);
    bool good = line && json_object_set_new(line, "vocabulary", json_integer((json_int_t)r->vocabulary)) == 0;
    if (good && result->sweep)
        good = json_object_set_new(line, "sweep", json_string(sweep_key_name(result->sweep->key))) == 0 &&
               json_object_set_new(line, "value", json_integer(result->value)) == 0;
    good = good && levers_report(&r->runtime, &r->counts, line);
    if (r->screen_refusal[0])
        levers_tell(run, &r->runtime, &r->counts, r->screen_refusal);
    if (good)
        return line;
    json_decref(line);
    FAIL(err, ERR_MEMORY, "no memory for the report");
    return NULL;
}

static double member(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

// How people know it: by its model, and by its engine where that is not hone.
static void label_write(const BenchResult *result, char *ret_label, size_t bytes) {
    const char *name = path_name(result->model);
    if (result->engine == ENGINE_HONE)
        snprintf(ret_label, bytes, "%s", name);
    else
        snprintf(ret_label, bytes, "%s (%s)", name, engine_kind_name(result->engine));
}

void bench_report_people(const BenchResult *result, const json_t *report, bool first, Buffer *text) {
    const char *varied = result->sweep ? sweep_key_name(result->sweep->key) : NULL;
    char label[256];
    label_write(result, label, sizeof label);
    if (first && varied)
        buffer_format(text, "%13s ", varied);
    if (first)
        buffer_format(text, "%-24s %10s %10s %10s %10s %10s %10s %9s %9s %9s %9s\n", "model", "ms/sample", "samples/s",
                      "mean ms", "p50 ms", "p95 ms", "p99 ms", "limit ms", "weights", "rss MB", "peak MB");
    if (varied)
        buffer_format(text, "%13lld ", (long long)result->value);
    buffer_format(text, "%-24s %10.2f %10.2f %10.2f %10.2f %10.2f %10.2f %9.2f %9.1f %9.1f %9.1f", label,
                  member(report, "ms_per_sample"), member(report, "samples_per_s"), member(report, "mean_ms"),
                  member(report, "p50_ms"), member(report, "p95_ms"), member(report, "p99_ms"),
                  member(report, "limit_ms"), member(report, "weights_mb"), member(report, "rss_mb"),
                  member(report, "peak_rss_mb"));
}

// What all entries of one run share.
typedef struct Shared {
    char time[32], machine[128];
    struct utsname system;
    char *system_name, *settings;
} Shared;

static Status keep_one(CommandRun *run, History *history, const Shared *shared, const BenchResult *result, Error *err) {
    char mark[MODEL_MARK_BYTES], resolved[PATH_MAX];
    TRY(model_mark(run->arena, result->model, mark, err));
    json_t *line = bench_report_json(run, result, err);
    TRY_NEW(line);
    char *report = json_dumps(line, JSON_COMPACT);
    json_decref(line);
    Buffer times = {0};
    for (size_t i = 0; i < bench_batches(result->work) * result->passes; i++)
        buffer_format(&times, "%c%.6f", i ? ',' : '[', result->times_ns[i] * 1e-6);
    buffer_add_char(&times, ']');
    Status status = report ? buffer_status(&times, err) : FAIL(err, ERR_MEMORY, "no memory for the report");
    HistoryEntry entry = {.time = shared->time,
                          .version = HONE_VERSION,
                          .revision = hone_revision,
                          .machine = {shared->machine, cpu_cores(), shared->system_name},
                          .model = path_name(result->model),
                          .model_path = realpath(result->model, resolved) ? resolved : result->model,
                          .model_mark = mark,
                          .level = cpu_level_name(run->common.level),
                          .threads = result->work->runtime.threads,
                          .batch = (int64_t)result->work->batch,
                          .beams = result->beams,
                          .ms_per_sample = result_point(result).y,
                          .settings = shared->settings,
                          .report = report,
                          .times_ms = times.data};
    if (status == OK)
        status = history_add(history, &entry, err);
    buffer_done(&times);
    memory_free(report);
    return status;
}

Status bench_report_keep(CommandRun *run, const char *path, const BenchResult *results, size_t count,
                         const json_t *settings, Error *err) {
    Shared shared;
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(shared.time, sizeof shared.time, "%Y-%m-%dT%H:%M:%SZ", &utc);
    cpu_name(shared.machine, sizeof shared.machine);
    uname(&shared.system);
    TRY_NEW(shared.system_name = arena_format(run->arena, err, "%s %s %s", shared.system.sysname, shared.system.release,
                                              shared.system.machine));
    char *text = json_dumps(settings, JSON_COMPACT);
    if (!text)
        return FAIL(err, ERR_MEMORY, "no memory for the history");
    shared.settings = text;
    History *history;
    Status status = history_open(path, &history, err);
    if (status == OK) {
        for (size_t i = 0; i < count && status == OK; i++)
            status = keep_one(run, history, &shared, &results[i], err);
        history_close(history);
    }
    memory_free(text);
    return status;
}

// Series of one model: its times, and its limit as a dashed line.
static Status series_make(CommandRun *run, const Sweep *sweep, const BenchResult *results, size_t models, size_t model,
                          PlotSeries *times, PlotSeries *limit, Error *err) {
    PlotPoint *points = arena_array(run->arena, 2 * sweep->count, sizeof *points, err);
    TRY_NEW(points);
    for (size_t v = 0; v < sweep->count; v++) {
        const BenchResult *result = &results[v * models + model];
        double bound = result->report.limit_ms;
        points[v] = result_point(result);
        points[sweep->count + v] = (PlotPoint){(double)result->value, bound, bound, bound};
    }
    char label[256];
    label_write(&results[model], label, sizeof label);
    char *name = arena_copy_text(run->arena, label, strlen(label), err);
    TRY_NEW(name);
    char *limit_name = arena_format(run->arena, err, "limit of %s", name);
    TRY_NEW(limit_name);
    *times = (PlotSeries){.name = name, .points = points, .count = sweep->count};
    *limit = (PlotSeries){.name = limit_name, .points = points + sweep->count, .count = sweep->count, .dashed = true};
    return OK;
}

Status bench_report_draw(CommandRun *run, const char *path, const Sweep *sweep, const BenchResult *results,
                         size_t models, Error *err) {
    PlotSeries series[PLOT_SERIES_MOST];
    bool limits = 2 * models <= PLOT_SERIES_MOST;
    if (models > PLOT_SERIES_MOST)
        return FAIL(err, ERR_USAGE, "--svg draws at most %d models, not %zu", PLOT_SERIES_MOST, models);
    for (size_t m = 0; m < models; m++) {
        PlotSeries limit;
        TRY(series_make(run, sweep, results, models, m, &series[m], &limit, err));
        if (limits)
            series[models + m] = limit;
    }
    double low = INFINITY, high = 0;
    for (size_t i = 0; i < sweep->count * models; i++) {
        double ms = result_point(&results[i]).y;
        low = fmin(low, ms);
        high = fmax(high, ms);
    }
    char *title = arena_format(run->arena, err, "Cost of a summary by %.*s",
                               (int)strcspn(sweep_key_label(sweep->key), ","), sweep_key_label(sweep->key));
    TRY_NEW(title);
    bool lengths = sweep->key == SWEEP_SOURCE || sweep->key == SWEEP_NEW;
    Plot plot = {.title = title,
                 .description = "Milliseconds per summary as measured by hone bench, the mean of all passes with the "
                                "fastest and the slowest; dashed: what this machine allows at best.",
                 .x = {sweep_key_label(sweep->key), lengths ? PLOT_LINEAR : PLOT_LOG2},
                 .y = {"ms per summary", high > 8 * low ? PLOT_LOG10 : PLOT_LINEAR},
                 .series = series,
                 .series_count = limits ? 2 * models : models};
    Buffer svg = {0};
    Status status = plot_lines(&plot, &svg, err);
    if (status == OK)
        status = file_replace(path, svg.data, svg.bytes, err);
    buffer_done(&svg);
    return status;
}
