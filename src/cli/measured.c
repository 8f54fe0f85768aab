// SPDX-License-Identifier: Apache-2.0
// Measuring the original and what was made of it, and telling of both.
#include "cli/measured.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "cli/figures.h"
#include "cli/runtime.h"

// Enough rows for an interval and enough calls for a p99, few enough for seconds with a small model.
enum { USUAL_ROWS = 128, TIMED_ROWS = 32, TIMED_CALLS = 32, SPEED_BATCH = 1 };

static TrialOptions trial_options(const CommandRun *run, const Measured *measured) {
    return (TrialOptions){.data = &measured->rows,
                          .data_name = measured->data,
                          .runtime = runtime_settings(run, &(RuntimeFlags){0}, 0),
                          .speed_batch = SPEED_BATCH,
                          .speed_samples = TIMED_ROWS,
                          .speed_calls = TIMED_CALLS};
}

static bool same_file(const char *a, const char *b) {
    FileStamp of_a, of_b;
    Error ignored; // what cannot be looked at is told by whoever reads it
    return file_stamp(a, &of_a, &ignored) == OK && file_stamp(b, &of_b, &ignored) == OK && of_a.device == of_b.device &&
           of_a.inode == of_b.inode;
}

// Rows without references, where they are all that is wrong.
static Status rows_read(CommandRun *run, const MeasuredAsk *ask, DataSet *set, Error *err) {
    size_t most = ask->samples ? (size_t)ask->samples : USUAL_ROWS;
    TRY(data_read(run->arena, ask->data, most, false, set, err));
    if (set->labelled && ask->new_ids)
        return OK;
    Status status = data_read(run->arena, ask->data, most, true, set, err);
    if (status != ERR_FORMAT)
        return status;
    Error said = *err;
    return FAIL(err, ERR_FORMAT, "%s, to measure the result against%s%s", said.message,
                ask->without ? "; rows need none with " : "", ask->without ? ask->without : "");
}

Status measured_open(CommandRun *run, const MeasuredAsk *ask, Measured *ret_measured, Error *err) {
    Measured measured = {.threads = run->common.threads};
    if (ask->samples && !ask->data)
        return FAIL(err, ERR_USAGE, "--data-samples counts rows of --data, which is missing");
    if (ask->data) {
        TRY(rows_read(run, ask, &measured.rows, err));
        if (measured.rows.labelled && ask->new_ids) {
            measured.not_measured = "the rows hold ids of the original's vocabulary, and the written model has others";
        } else {
            measured.data = path_name(ask->data);
            measured.decided = ask->decided_on && same_file(ask->data, ask->decided_on);
            measured.timed_rows = measured.rows.count < TIMED_ROWS ? measured.rows.count : TIMED_ROWS;
            TrialOptions options = trial_options(run, &measured);
            TRY(trial_check(run->arguments[0], &options, err));
        }
    }
    *ret_measured = measured;
    return OK;
}

static Status run_both(CommandRun *run, const char *const *models, Measured *measured, Error *err) {
    static const char *const whose[] = {"running the original", "running the result"};
    TrialOptions options = trial_options(run, measured);
    TrialModel timed[2];
    Progress progress;
    options.tell = progress_tell;
    options.tell_context = &progress;
    for (size_t i = 0; i < 2; i++) {
        timed[i] = (TrialModel){models[i], options.runtime};
        progress_init(&progress, whose[i], 0, run->common.quiet);
        Status status = trial_quality(run->arena, models[i], &options, &measured->quality[i], err);
        progress_done(&progress);
        TRY(status);
    }
    measured->loss = trial_loss(&measured->quality[0], &measured->quality[1]);
    progress_init(&progress, "timing both", 0, run->common.quiet);
    Status status = trial_speed(run->arena, timed, 2, &options, measured->speed, err);
    progress_done(&progress);
    TRY(status);
    measured->faster = trial_ratio(run->arena, &measured->speed[0], &measured->speed[1], err);
    return isnan(measured->faster.mean) ? err->status : OK;
}

Status measured_run(CommandRun *run, const char *output, Measured *measured, Error *err) {
    if (measured->data && run_both(run, (const char *const[]){run->arguments[0], output}, measured, err) != OK)
        return error_context(err, "model '%s' is written, but it could not be measured", output);
    return OK;
}

// What to think of a model that is not faster, as far as the interval tells; empty for one that is.
static void speed_note(const Measured *measured, char *ret_note, size_t bytes) {
    const Interval *faster = &measured->faster;
    ret_note[0] = '\0';
    if (faster->high < 1)
        snprintf(ret_note, bytes, "slower here (%.2f times): no optimization of speed", faster->mean);
    else if (!(faster->low > 1))
        snprintf(ret_note, bytes,
                 "as fast as before, as far as %zu calls tell (%.2f times [%.2f, %.2f]): no optimization of speed",
                 measured->speed[0].calls, faster->mean, faster->low, faster->high);
}

static json_t *quality_json(const Quality *quality) {
    json_t *object = json_object();
    for (size_t m = 0; object && m < quality->metrics; m++)
        json_object_set_new(object, quality->names[m],
                            interval_json(statistics_bootstrap(quality->scores[m], quality->samples, BOOTSTRAP_SEED)));
    return object;
}

static json_t *losses_json(const Measured *measured) {
    json_t *object = json_object();
    for (size_t m = 0; object && m < measured->quality[0].metrics; m++)
        json_object_set_new(object, measured->quality[0].names[m], loss_json(measured->loss.metrics[m]));
    if (object)
        json_object_set_new(object, "mean", loss_json(measured->loss.mean));
    return object;
}

// Adds what is told of either model.
static void model_json(json_t *object, const Measured *measured, size_t which) {
    const Speed *speed = &measured->speed[which];
    json_object_set_new(object, "quality", quality_json(&measured->quality[which]));
    json_object_set_new(object, "latency_ms", latency_json(speed->latency));
    json_object_set_new(object, "samples_per_s", json_real(speed->samples_per_s));
    json_object_set_new(object, "peak_rss_mb", json_real(speed->peak_rss_mb));
}

static json_t *both_json(const Measured *measured) {
    if (measured->not_measured)
        return json_pack("{s:s}", "not_measured", measured->not_measured);
    json_t *object = json_object(), *baseline = json_object();
    json_object_set_new(object, "measured",
                        json_pack("{s:s, s:I, s:I, s:I, s:i, s:i, s:b}", "data", measured->data, "rows",
                                  (json_int_t)measured->rows.count, "timed_rows", (json_int_t)measured->timed_rows,
                                  "calls", (json_int_t)measured->speed[0].calls, "batch", SPEED_BATCH, "threads",
                                  measured->threads, "decided_on_these_rows", measured->decided));
    model_json(object, measured, 1);
    json_object_set_new(object, "loss", losses_json(measured));
    json_object_set_new(object, "speedup", interval_json(measured->faster));
    char note[160];
    speed_note(measured, note, sizeof note);
    if (note[0])
        json_object_set_new(object, "note", json_string(note));
    model_json(baseline, measured, 0);
    json_object_set_new(object, "baseline", baseline);
    return object;
}

Status measured_json(CommandRun *run, const Measured *measured, Error *err) {
    if (!measured->data && !measured->not_measured)
        return OK;
    json_t *object = both_json(measured);
    if (!object)
        return FAIL(err, ERR_MEMORY, "no memory for what was measured");
    buffer_add_char(&run->out.text, ',');
    Status status = output_members(&run->out, object, err);
    json_decref(object);
    return status;
}

static void print_loss(Buffer *out, RelativeLoss loss) {
    if (isnan(loss.relative))
        buffer_add_text(out, "   none to tell: the original scores 0");
    else
        buffer_format(out, "   loss %.2f %% [%.2f, %.2f]", 100 * loss.relative, 100 * loss.low, 100 * loss.high);
}

static void print_quality(Buffer *out, const Measured *measured) {
    const Quality *original = &measured->quality[0], *made = &measured->quality[1];
    for (size_t m = 0; m < original->metrics; m++) {
        buffer_format(out, "\n%-12s %10.2f %% %10.2f %%", original->names[m],
                      100 * statistics_mean(original->scores[m], original->samples),
                      100 * statistics_mean(made->scores[m], made->samples));
        print_loss(out, measured->loss.metrics[m]);
    }
    if (measured->rows.labelled) // whose mean is the loss of exact alone
        return;
    buffer_format(out, "\n%-12s %25s", "on average", "");
    print_loss(out, measured->loss.mean);
}

// The last lines: what the times and the rows are worth.
static void print_verdict(Buffer *out, const Measured *measured) {
    char note[160];
    speed_note(measured, note, sizeof note);
    if (note[0])
        buffer_add_text(out, note);
    else
        buffer_format(out, "%.2f times faster [%.2f, %.2f]", measured->faster.mean, measured->faster.low,
                      measured->faster.high);
    if (measured->decided)
        buffer_add_text(out, "\nthese rows also decided how the model was made: on others it may lose more");
}

static void print_people(Buffer *out, const char *made, const Measured *measured) {
    const Speed *original = &measured->speed[0], *now = &measured->speed[1];
    const struct {
        const char *name;
        double original, now;
    } rows[] = {{"ms a sample", original->ms_per_sample, now->ms_per_sample},
                {"p50 ms", original->latency.p50_ms, now->latency.p50_ms},
                {"p99 ms", original->latency.p99_ms, now->latency.p99_ms},
                {"samples/s", original->samples_per_s, now->samples_per_s},
                {"peak RSS MB", original->peak_rss_mb, now->peak_rss_mb}};
    buffer_format(out,
                  "\nmeasured on %zu rows of '%s'; times of %zu of them, one at a time, in turns, %d thread%s\n"
                  "%-12s %12s %12s",
                  measured->rows.count, measured->data, measured->timed_rows, measured->threads,
                  measured->threads == 1 ? "" : "s", "", "original", made);
    print_quality(out, measured);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        buffer_format(out, "\n%-12s %12.2f %12.2f", rows[i].name, rows[i].original, rows[i].now);
    buffer_add_char(out, '\n');
    print_verdict(out, measured);
}

Status measured_people(CommandRun *run, const char *output, const char *made, Measured *measured, Error *err) {
    Buffer *out = &run->out.text;
    TRY(output_flush(&run->out, err));
    TRY(measured_run(run, output, measured, err));
    if (measured->not_measured)
        buffer_format(out, "not measured: %s", measured->not_measured);
    else if (measured->data)
        print_people(out, made, measured);
    else
        return OK;
    return output_line(&run->out, err);
}
