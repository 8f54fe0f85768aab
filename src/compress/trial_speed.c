// SPDX-License-Identifier: Apache-2.0
// Times of models: each model's own ids, its work, turns, and what the times say.
#include <assert.h>
#include <math.h>
#include <string.h>

#include "compress/trial.h"
#include "measure/data_ids.h"

enum { WARMUP_CALLS = 10 };

static Status work_make(Arena *arena, const TrialModel *model, const TrialOptions *options, const BenchWork **ret_work,
                        Error *err) {
    size_t batch = options->speed_batch ? options->speed_batch : 1;
    BenchWork *work = arena_array(arena, 1, sizeof *work, err);
    TRY_NEW(work);
    *work = (BenchWork){
        .options = options->options, .context = options->context, .runtime = model->runtime, .skips_limit = true};
    work->runtime.batch = batch;
    DataSet set = *options->data;
    if (options->speed_samples && options->speed_samples < set.count)
        set.count = options->speed_samples;
    TRY(data_ids_of(arena, model->path, options->data_name, &set, err));
    TRY(bench_work_fill(arena, &set, batch, work, err));
    *ret_work = work;
    return OK;
}

static Status speed_fill(Arena *arena, const BenchModel *model, size_t passes, Speed *ret_speed, Error *err) {
    const BenchReport *report = &model->report;
    Speed speed = {.calls = passes * bench_batches(model->work),
                   .weights_mb = report->weights_mb,
                   .peak_rss_mb = report->peak_rss_mb,
                   .load_ms = report->load_ms};
    TRY_NEW(speed.calls_ms = arena_array(arena, speed.calls, sizeof *speed.calls_ms, err));
    double all_ms = 0;
    for (size_t i = 0; i < speed.calls; i++)
        all_ms += speed.calls_ms[i] = model->times_ns[i] * 1e-6;
    speed.ms_per_sample = all_ms / (double)(passes * model->work->samples);
    speed.samples_per_s = 1e3 / speed.ms_per_sample;
    speed.latency = statistics_latency(model->times_ns, speed.calls);
    memcpy(speed.digest, report->digest, sizeof speed.digest);
    *ret_speed = speed;
    return OK;
}

Status trial_speed(Arena *arena, const TrialModel *models, size_t count, const TrialOptions *options, Speed *ret_speeds,
                   Error *err) {
    BenchModel *benches = arena_array(arena, count, sizeof *benches, err);
    TRY_NEW(benches);
    for (size_t m = 0; m < count; m++) {
        benches[m].path = models[m].path;
        TRY(work_make(arena, &models[m], options, &benches[m].work, err));
    }
    size_t batches = bench_batches(benches[0].work), calls = options->speed_calls ? options->speed_calls : 1;
    BenchTurns turns = {.warmup = batches < WARMUP_CALLS ? batches : WARMUP_CALLS,
                        .passes = (calls + batches - 1) / batches,
                        .tell = options->tell,
                        .tell_context = options->tell_context};
    if (bench_turns(arena, benches, count, &turns, err) != OK)
        return error_context(err, "data '%s'", options->data_name);
    Speed *speeds = arena_array(arena, count, sizeof *speeds, err);
    TRY_NEW(speeds);
    for (size_t m = 0; m < count; m++)
        TRY(speed_fill(arena, &benches[m], turns.passes, &speeds[m], err));
    memcpy(ret_speeds, speeds, count * sizeof *speeds);
    return OK;
}

Interval trial_ratio(Arena *arena, const Speed *baseline, const Speed *candidate, Error *err) {
    assert(baseline->calls == candidate->calls && baseline->calls > 0);
    size_t count = baseline->calls;
    double *logs = arena_array(arena, count, sizeof *logs, err);
    if (!logs)
        return (Interval){NAN, NAN, NAN, NAN};
    for (size_t i = 0; i < count; i++)
        logs[i] = log(baseline->calls_ms[i] / candidate->calls_ms[i]);
    if (count == 1)
        return (Interval){exp(logs[0]), NAN, exp(logs[0]), NAN};
    Interval ratio = statistics_mean_interval(logs, count, BOOTSTRAP_SEED);
    return (Interval){exp(ratio.mean), exp(ratio.low), exp(ratio.mid), exp(ratio.high)};
}
