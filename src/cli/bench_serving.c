// SPDX-License-Identifier: Apache-2.0
// From flags to loads, and from figures to lines.
#include "cli/bench_serving.h"

#include <math.h>

#include "cli/bench_work.h"
#include "measure/find_batch.h"

#define AT(member) offsetof(ServingFlags, member)

const Option serving_options[] = {
    {"outputs", 0, "SPEC", "measure under load: output lengths N, LOW:HIGH or geometric:MEAN:MOST", OPTION_TEXT,
     AT(outputs)},
    {"requests", 0, "N", "under load: requests in all (default: 400)", OPTION_INT, AT(requests), .low = 1, .high = 1e6},
    {"rate", 0, "R", "under load: arrivals a second, Poisson (default: all wait from the start)", OPTION_REAL, AT(rate),
     .low = 0, .high = 1e6},
    {"static-batch", 0, "N", "under load: batches of N, sorted by length, that end together", OPTION_INT,
     AT(static_batch), .low = 1, .high = 4096},
    {"whole-batches", 0, NULL, "of --static-batch, compute every row until the batch's longest output ends",
     OPTION_FLAG, AT(whole_batches)},
    {"find-batch", 0, NULL, "find the requests at once with the largest throughput", OPTION_FLAG, AT(find_batch)},
    {"max-batch", 0, "N", "the largest that --find-batch tries (default: 128)", OPTION_INT, AT(most_batch), .low = 1,
     .high = 4096},
    {"target-p99", 0, "MS", "time per token that --find-batch may not exceed", OPTION_REAL, AT(target_ms), .low = 0.001,
     .high = 1e6},
    {0},
};

bool serving_wanted(const ServingFlags *flags) {
    return flags->outputs || flags->find_batch;
}

enum { LEAST_ROWS = 64 };

typedef struct Load {
    CommandRun *run;
    const ServingFlags *flags;
    Runtime *runtime;
    ServingWork work;
    const char *model;
    size_t batch;
    Progress progress;
} Load;

static Status start_engine(Load *load, Error *err) {
    const RuntimeSettings *own = &load->runtime->settings;
    bool is_static = load->flags->static_batch > 0;
    size_t running = is_static ? (size_t)load->flags->static_batch : load->batch;
    EngineSettings settings = runtime_engine_settings(own);
    settings.most_requests = is_static || load->flags->find_batch ? running : 4 * running;
    settings.most_running = running;
    settings.most_rows = running < LEAST_ROWS ? LEAST_ROWS : running;
    settings.slices_encoder = !is_static;
    return runtime_start(load->runtime, &settings, err);
}

static void free_runtime(void *runtime) {
    runtime_free(runtime);
}

static Status open(Load *load, const RuntimeFlags *flags, const char *workload, size_t samples, Error *err) {
    CommandRun *run = load->run;
    RuntimeSettings asked = runtime_settings(run, flags, load->batch);
    TRY(runtime_open(load->model, asked.level, asked.threads, true, &load->runtime, err));
    TRY(arena_on_free(run->arena, free_runtime, load->runtime, err));
    load->runtime->settings = runtime_follow(&asked, &load->runtime->info->advice);
    TRY(start_engine(load, err));
    BenchWork *sources = arena_array(run->arena, 1, sizeof *sources, err);
    TRY_NEW(sources);
    BenchSources wanted = {.workload = workload, .samples = samples, .batch = 1};
    TRY(bench_work_read(run, &wanted, load->model, sources, err));
    load->work = (ServingWork){.sources = (const int32_t *const *)sources->sources,
                               .source_lengths = sources->lengths,
                               .source_count = sources->samples,
                               .options = *model_generation(load->runtime->model),
                               .requests = (size_t)load->flags->requests,
                               .rate = load->flags->rate,
                               .static_batch = (size_t)load->flags->static_batch,
                               .static_whole = load->flags->whole_batches,
                               .seed = 1};
    load->work.options.num_beams = load->work.options.num_return_sequences = 1;
    load->work.options.do_sample = false;
    return lengths_parse(load->flags->outputs ? load->flags->outputs : "10:80", &load->work.outputs, err);
}

static Status answer_json(CommandRun *run, json_t *object, Error *err) {
    if (!object)
        return FAIL(err, ERR_MEMORY, "no memory for the answer");
    Status status = output_json(&run->out, object, err);
    json_decref(object);
    return status;
}

static json_t *percentiles(const double values[3]) {
    return json_pack("{s:f, s:f, s:f}", "p50", values[0], "p95", values[1], "p99", values[2]);
}

static const char *batching_name(const ServingFlags *flags) {
    if (!flags->static_batch)
        return "continuous";
    return flags->whole_batches ? "whole static batches" : "static batches";
}

static Status answer_figures(Load *load, const ServingFigures *f, Error *err) {
    CommandRun *run = load->run;
    if (run->common.json)
        return answer_json(
            run,
            json_pack("{s:s, s:s, s:s, s:I, s:i, s:f, s:f, s:f, s:o, s:o, s:o, s:o, s:f, s:f, s:f}", "engine", "hone",
                      "model", load->model, "batching", batching_name(load->flags), "batch",
                      (json_int_t)(load->flags->static_batch ? load->flags->static_batch : (int64_t)load->batch),
                      "threads", run->common.threads, "seconds", f->seconds, "requests_per_s", f->requests_per_s,
                      "tokens_per_s", f->tokens_per_s, "first_token_ms", percentiles(f->first_token_ms), "token_ms",
                      percentiles(f->token_ms), "gap_ms", percentiles(f->gap_ms), "request_ms",
                      percentiles(f->request_ms), "rows_per_step", f->rows_per_step, "encode_share", f->encode_share,
                      "other_share", f->other_share),
            err);
    buffer_format(&run->out.text,
                  "%s, %s, %zu at once: %.1f requests/s, %.0f tokens/s; token p50 %.1f p99 %.1f ms, gap p99 %.1f ms, "
                  "first token p50 %.0f p99 %.0f ms; %.1f rows a step, encoder %.0f %%, scheduling %.2f %% of the time",
                  load->model, batching_name(load->flags),
                  load->flags->static_batch ? (size_t)load->flags->static_batch : load->batch, f->requests_per_s,
                  f->tokens_per_s, f->token_ms[0], f->token_ms[2], f->gap_ms[2], f->first_token_ms[0],
                  f->first_token_ms[2], f->rows_per_step, 100 * f->encode_share, 100 * f->other_share);
    return output_line(&run->out, err);
}

static void tell_point(void *context, const BatchPoint *point) {
    Load *load = context;
    progress_tell(&load->progress, point->batch, load->batch);
}

static json_t *curve_json(const BatchCurve *curve) {
    json_t *points = json_array();
    for (size_t i = 0; points && i < curve->count; i++) {
        const BatchPoint *p = &curve->points[i];
        json_array_append_new(points, json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:b}", "batch",
                                                (json_int_t)p->batch, "tokens_per_s", p->tokens_per_s, "requests_per_s",
                                                p->requests_per_s, "token_p50_ms", p->token_p50_ms, "token_p99_ms",
                                                p->token_p99_ms, "first_token_p99_ms", p->first_token_p99_ms, "spread",
                                                p->spread, "within", p->within));
    }
    return points;
}

static Status answer_curve(Load *load, const BatchCurve *curve, Error *err) {
    CommandRun *run = load->run;
    const BatchPoint *best = &curve->points[curve->best];
    if (run->common.json)
        TRY(answer_json(run,
                        json_pack("{s:s, s:I, s:b, s:f, s:o}", "model", load->model, "best", (json_int_t)best->batch,
                                  "met", curve->met, "target_p99_ms", load->flags->target_ms, "curve",
                                  curve_json(curve)),
                        err));
    double most = 0;
    for (size_t i = 0; i < curve->count; i++)
        most = fmax(most, curve->points[i].tokens_per_s);
    for (size_t i = 0; i < curve->count && !run->common.json; i++) {
        const BatchPoint *p = &curve->points[i];
        buffer_format(&run->out.text, "%4zu at once %8.0f tokens/s  token p50 %6.1f p99 %6.1f ms  %s %-.*s", p->batch,
                      p->tokens_per_s, p->token_p50_ms, p->token_p99_ms,
                      i == curve->best ? "<"
                      : p->within      ? " "
                                       : "x",
                      (int)(24 * p->tokens_per_s / most), "########################");
        TRY(output_line(&run->out, err));
    }
    if (!curve->met)
        return FAIL(err, ERR_NO, "no batch keeps the time per token below %g ms: one request at a time takes %.1f ms",
                    load->flags->target_ms, curve->points[0].token_p99_ms);
    return OK;
}

static Status measure(Load *load, Error *err) {
    Status status;
    progress_init(&load->progress, load->flags->find_batch ? "trying batches" : "serving", 0, load->run->common.quiet);
    if (load->flags->find_batch) {
        BatchCurve curve;
        BatchSearch search = {.work = load->work,
                              .most_batch = load->batch,
                              .target_ms = load->flags->target_ms,
                              .tell = tell_point,
                              .context = load};
        status = find_batch(load->runtime->engine, &search, &curve, err);
        progress_done(&load->progress);
        return status == OK ? answer_curve(load, &curve, err) : status;
    }
    ServingFigures figures;
    status = serving_run(load->runtime->engine, &load->work, progress_tell, &load->progress, &figures, err);
    progress_done(&load->progress);
    return status == OK ? answer_figures(load, &figures, err) : status;
}

Status bench_serving(CommandRun *run, const ServingFlags *flags, const RuntimeFlags *runtime, const char *workload,
                     size_t samples, size_t batch, Error *err) {
    for (size_t m = 0; m < run->argument_count; m++) {
        Load load = {.run = run, .flags = flags, .model = run->arguments[m], .batch = batch};
        if (flags->find_batch)
            load.batch = (size_t)flags->most_batch;
        TRY(open(&load, runtime, workload, samples, err));
        TRY(measure(&load, err));
    }
    return output_flush(&run->out, err);
}
