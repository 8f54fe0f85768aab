// SPDX-License-Identifier: Apache-2.0
#include "cli/measured.h"

#include "base/json.h"
#include "base/scratch.h"
#include "check.h"

static Error err;

static CommandRun run_make(Scratch *scratch, char **arguments) {
    CommandRun run = {.common = {.threads = 1, .level = cpu_detect(), .quiet = true},
                      .arguments = arguments,
                      .argument_count = 1,
                      .arena = &scratch->arena};
    const char *source = getenv("HONE_SOURCE");
    arguments[0] = path_join(&scratch->arena, source ? source : ".", "tests/golden/engine/tiny_bart", &err);
    ck_assert_ptr_nonnull(arguments[0]);
    output_init(&run.out, STDOUT_FILENO);
    return run;
}

static char *data_put(Scratch *scratch, const char *name, const char *text) {
    char *path = scratch_path(scratch, name);
    CHECK_OK(file_replace(path, text, strlen(text), &err));
    return path;
}

static const char labelled[] =
    "{\"input_ids\":[0,5,6,2],\"label_ids\":[7]}\n{\"input_ids\":[0,9,2],\"label_ids\":[8]}\n";

// What is told of four rows, every call of which takes `ratio` times as long as before, and of `spread` more or less.
static json_t *told(CommandRun *run, double ratio, double spread) {
    double was[4] = {0.5, 0.7, 0.6, 0.8}, now[4] = {0.5, 0.6, 0.6, 0.7}, before_ms[6], after_ms[6];
    for (size_t i = 0; i < 6; i++) {
        before_ms[i] = 10 + (double)i;
        after_ms[i] = before_ms[i] * (ratio + (i % 2 ? spread : -spread));
    }
    Measured measured = {.data = "rows", .threads = 3, .rows = {.count = 4}, .timed_rows = 2};
    for (size_t i = 0; i < 2; i++) {
        measured.quality[i] = (Quality){.samples = 4, .metrics = 1, .names = {"rouge1"}, .scores = {i ? now : was}};
        measured.speed[i] = (Speed){.calls_ms = i ? after_ms : before_ms, .calls = 6, .peak_rss_mb = 7 - (double)i};
    }
    measured.loss = trial_loss(&measured.quality[0], &measured.quality[1]);
    measured.faster = trial_ratio(run->arena, &measured.speed[0], &measured.speed[1], &err);
    Buffer *out = &run->out.text;
    buffer_clear(out);
    buffer_add_text(out, "{\"output\":\"small\"");
    CHECK_OK(measured_json(run, &measured, &err));
    buffer_add_char(out, '}');
    json_t *value;
    CHECK_OK(json_parse(run->arena, "the answer", (Bytes){(const unsigned char *)out->data, out->bytes}, true, &value,
                        &err));
    return value;
}

static double number(const json_t *object, const char *a, const char *b) {
    const json_t *value = json_object_get(json_object_get(object, a), b);
    ck_assert_msg(json_is_number(value), "no %s.%s", a, b);
    return json_number_value(value);
}

START_TEST(slower_is_no_optimization) {
    Scratch scratch = scratch_make();
    char *arguments[1];
    CommandRun run = run_make(&scratch, arguments);
    json_t *value = told(&run, 0.5, 0.01);
    ck_assert_ptr_null(json_object_get(value, "note"));
    ck_assert_double_eq_tol(number(value, "speedup", "mean"), 2, 0.01);
    ck_assert_double_gt(number(value, "speedup", "low"), 1.9);
    ck_assert_double_eq_tol(number(json_object_get(value, "loss"), "rouge1", "relative"), 0.2 / 2.6, 1e-9);
    ck_assert_double_eq_tol(number(json_object_get(value, "loss"), "mean", "relative"), 0.2 / 2.6, 1e-9);
    ck_assert_double_eq_tol(number(json_object_get(value, "quality"), "rouge1", "mean"), 0.6, 1e-9);
    const json_t *baseline = json_object_get(value, "baseline");
    ck_assert_double_eq_tol(number(json_object_get(baseline, "quality"), "rouge1", "mean"), 0.65, 1e-9);
    ck_assert(json_number_value(json_object_get(value, "peak_rss_mb")) == 6);
    ck_assert(json_number_value(json_object_get(baseline, "peak_rss_mb")) == 7);
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(value, "measured"), "calls")), 6);
    value = told(&run, 1.25, 0.01);
    ck_assert_str_eq(json_string_value(json_object_get(value, "note")),
                     "slower here (0.80 times): no optimization of speed");
    value = told(&run, 1, 0.1);
    const char *note = json_string_value(json_object_get(value, "note"));
    ck_assert_ptr_nonnull(note);
    ck_assert_msg(strncmp(note, "as fast as before, as far as 6 calls tell (1.0", 46) == 0, "%s", note);
    output_done(&run.out);
    scratch_done(&scratch);
}
END_TEST

START_TEST(rows_are_refused_before) {
    Scratch scratch = scratch_make();
    char *arguments[1];
    CommandRun run = run_make(&scratch, arguments);
    Measured measured;
    MeasuredAsk ask = {.samples = 3};
    CHECK_FAILS(measured_open(&run, &ask, &measured, &err), ERR_USAGE, "--data-samples counts rows of --data");
    ask = (MeasuredAsk){
        .data = data_put(&scratch, "bare", "{\"input_ids\":[0,2],\"label_ids\":[2]}\n{\"input_ids\":[0,2]}\n")};
    CHECK_FAILS(measured_open(&run, &ask, &measured, &err), ERR_FORMAT, "line 2: expected 'label_ids'");
    ck_assert_ptr_null(strstr(err.message, "rows need none"));
    ask.without = "--never";
    CHECK_FAILS(measured_open(&run, &ask, &measured, &err), ERR_FORMAT,
                "the result against; rows need none with --never");
    ask.samples = 1;
    CHECK_OK(measured_open(&run, &ask, &measured, &err));
    ask = (MeasuredAsk){.data = data_put(&scratch, "strange", "{\"input_ids\":[0,500,2],\"label_ids\":[2]}\n")};
    CHECK_FAILS(measured_open(&run, &ask, &measured, &err), ERR_FORMAT, "data 'strange': sample 1: token 1 of the");
    ask = (MeasuredAsk){.data = data_put(&scratch, "texts", "{\"text\":\"a\",\"summary\":\"b\"}\n")};
    CHECK_FAILS(measured_open(&run, &ask, &measured, &err), ERR_UNSUPPORTED, "no tokenizer files");
    ask = (MeasuredAsk){.data = data_put(&scratch, "labelled", labelled), .new_ids = true};
    CHECK_OK(measured_open(&run, &ask, &measured, &err));
    ck_assert_ptr_null(measured.data);
    ck_assert_ptr_nonnull(strstr(measured.not_measured, "ids of the original's vocabulary"));
    ask = (MeasuredAsk){.decided_on = ask.data};
    CHECK_OK(measured_open(&run, &ask, &measured, &err));
    CHECK_OK(measured_run(&run, "nowhere", &measured, &err)); // nothing was asked for
    scratch_done(&scratch);
}
END_TEST

START_TEST(failures_say_what_is_written) {
    Scratch scratch = scratch_make();
    char *arguments[1];
    CommandRun run = run_make(&scratch, arguments);
    Measured measured;
    MeasuredAsk ask = {.data = data_put(&scratch, "labelled", labelled)};
    ask.decided_on = ask.data;
    CHECK_OK(measured_open(&run, &ask, &measured, &err));
    ck_assert(measured.decided);
    ck_assert_uint_eq(measured.timed_rows, 2);
    CHECK_FAILS(measured_run(&run, "nowhere", &measured, &err), ERR_IO,
                "model 'nowhere' is written, but it could not be measured: ");
    CHECK_OK(measured_run(&run, arguments[0], &measured, &err)); // against itself
    ck_assert(measured.loss.metrics[1].relative == 0 && measured.loss.metrics[1].high == 0);
    ck_assert_uint_eq(measured.speed[0].calls, 32);
    ck_assert_str_eq(measured.speed[0].digest, measured.speed[1].digest);
    scratch_done(&scratch);
}
END_TEST

TEST_MAIN("cli/measured", slower_is_no_optimization, rows_are_refused_before, failures_say_what_is_written)
