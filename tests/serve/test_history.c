// SPDX-License-Identifier: Apache-2.0
// The history: what its samples say, that its rings and its file stay bounded, and that a file that cannot be used
// costs one line of the log and nothing else.
#include "serve/history.h"

#include <math.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "check.h"

static Error err;
static Arena arena;
static char folder[64], path[96], log_path[96];
static Log *events;
static Metrics *metrics;

// A minute begins here.
static const double start = 1.8e9;

static void set_up(void) {
    arena_init(&arena, 0);
    snprintf(folder, sizeof folder, "/tmp/hone-history-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/history.sqlite", folder);
    snprintf(log_path, sizeof log_path, "%s/log", folder);
    CHECK_OK(log_new(log_path, LOG_INFO, &events, &err));
    CHECK_OK(metrics_new("bart", &metrics, &err));
}

static void tear_down(void) {
    metrics_free(metrics);
    log_free(events);
    char **names;
    size_t count;
    CHECK_OK(folder_list(&arena, folder, &names, &count, &err));
    for (size_t i = 0; i < count; i++)
        unlink(path_join(&arena, folder, names[i], &err));
    ck_assert(rmdir(folder) == 0);
    arena_done(&arena);
}

static ServeHistory *open_history(const char *file, double now) {
    ServeHistory *history;
    CHECK_OK(history_new(file, "bart", now, events, &history, &err));
    return history;
}

static json_t *print(ServeHistory *history, HistorySpan span) {
    Buffer text = {0};
    history_print(history, span, &text);
    json_t *value;
    CHECK_OK(json_parse(&arena, "history", (Bytes){(unsigned char *)text.data, text.bytes}, false, &value, &err));
    buffer_done(&text);
    return value;
}

static size_t samples_of(ServeHistory *history, HistorySpan span) {
    return json_array_size(json_object_get(print(history, span), "time"));
}

// How many lines the log has.
static size_t logged(const char *text) {
    Bytes bytes;
    CHECK_OK(file_map(&arena, log_path, &bytes, &err));
    size_t lines = 0;
    for (size_t i = 0; i < bytes.size; i++)
        lines += bytes.data[i] == '\n';
    ck_assert_msg(!lines || memmem(bytes.data, bytes.size, text, strlen(text)), "the log says %.*s", (int)bytes.size,
                  (const char *)bytes.data);
    return lines;
}

// One request of 10 tokens each second.
static void run_seconds(ServeHistory *history, double from, int seconds) {
    for (int i = 0; i < seconds; i++) {
        metrics_add(metrics, METRIC_GENERATED_TOKENS, 0, 10);
        metrics_add(metrics, METRIC_REQUESTS_FINISHED, ENDED_STOP, 1);
        metrics_observe(metrics, METRIC_TOKEN_SECONDS, 0, 0.005);
        metrics_observe(metrics, METRIC_STEP_ROWS, 0, 4);
        metrics_add(metrics, METRIC_STEP_SECONDS, PART_DECODE, 0.25);
        metrics_set(metrics, METRIC_REQUESTS_QUEUED, 0, i % 2 ? 2 : 4);
        history_sample(history, metrics, from + i);
    }
}

START_TEST(test_samples) {
    set_up();
    ServeHistory *history = open_history(NULL, start);
    ck_assert(isnan(history_newest(history).figures[FIGURE_GENERATED_TOKENS]));
    ck_assert(!history_is_kept(history));
    metrics_set(metrics, METRIC_KV_PAGES, 0, 100);
    metrics_set(metrics, METRIC_KV_PAGES_USED, PAGES_CROSS, 30);
    metrics_set(metrics, METRIC_KV_PAGES_CACHED, 0, 50);
    run_seconds(history, start, 3); // the first only begins
    HistorySample sample = history_newest(history);
    ck_assert(sample.time == start + 2);
    ck_assert(sample.figures[FIGURE_GENERATED_TOKENS] == 10 && sample.figures[FIGURE_REQUESTS] == 1);
    ck_assert(sample.figures[FIGURE_STEP_ROWS] == 4 && sample.figures[FIGURE_DECODE] == 0.25);
    ck_assert(sample.figures[FIGURE_KV_USED] == 0.3 && sample.figures[FIGURE_KV_CACHED] == 0.5);
    ck_assert(sample.figures[FIGURE_QUEUED_REQUESTS] == 4);
    ck_assert(sample.figures[FIGURE_TOKEN_P50] > 0.0032 && sample.figures[FIGURE_TOKEN_P50] <= 0.0056);
    ck_assert(isnan(sample.figures[FIGURE_FIRST_TOKEN_P99]));
    ck_assert(samples_of(history, HISTORY_15M) == 2 && samples_of(history, HISTORY_24H) == 0);
    json_t *columns = print(history, HISTORY_15M);
    ck_assert(json_integer_value(json_object_get(columns, "step_s")) == 1);
    for (size_t i = 0; i < FIGURE_COUNT; i++)
        ck_assert(json_array_size(json_object_get(columns, history_figure_name((HistoryFigure)i))) == 2);
    ck_assert(json_is_null(json_array_get(json_object_get(columns, "first_token_p50_s"), 0)));
    ck_assert(history_mean(history, FIGURE_QUEUED_REQUESTS, 10) == 3); // 2 and 4
    ck_assert(history_mean(history, FIGURE_QUEUED_REQUESTS, 1) == 4);
    history_free(history);
    tear_down();
}
END_TEST

// Quantiles are of ten seconds, so that the request of this second alone does not make them.
START_TEST(test_the_window_of_quantiles) {
    set_up();
    ServeHistory *history = open_history(NULL, start);
    history_sample(history, metrics, start);
    metrics_observe(metrics, METRIC_FIRST_TOKEN_SECONDS, 0, 2);
    for (int i = 1; i <= 10; i++) {
        history_sample(history, metrics, start + i);
        ck_assert(isfinite(history_newest(history).figures[FIGURE_FIRST_TOKEN_P50]));
    }
    history_sample(history, metrics, start + 11);
    ck_assert(isnan(history_newest(history).figures[FIGURE_FIRST_TOKEN_P50]));
    history_free(history);
    tear_down();
}
END_TEST

START_TEST(test_minutes_and_bounds) {
    set_up();
    ServeHistory *history = open_history(NULL, start);
    run_seconds(history, start, 121);
    ck_assert(samples_of(history, HISTORY_24H) == 2);
    json_t *minutes = print(history, HISTORY_24H);
    ck_assert_double_eq_tol(json_real_value(json_array_get(json_object_get(minutes, "decode_share"), 1)), 0.25, 1e-9);
    ck_assert_double_eq(json_number_value(json_array_get(json_object_get(minutes, "queued_requests"), 1)), 3);
    run_seconds(history, start + 121, 1000);
    ck_assert(samples_of(history, HISTORY_15M) == 900);
    for (int i = 0; i < 1500; i++) // a minute each: samples every ten seconds
        for (int j = 0; j < 6; j++)
            history_sample(history, metrics, start + 1140 + i * 60 + j * 10);
    ck_assert(samples_of(history, HISTORY_24H) == 1440 && samples_of(history, HISTORY_15M) == 900);
    history_free(history);
    tear_down();
}
END_TEST

START_TEST(test_gaps_and_clocks_set_back) {
    set_up();
    ServeHistory *history = open_history(NULL, start);
    run_seconds(history, start, 10);
    run_seconds(history, start + 100, 10); // slept: its first second only begins
    ck_assert(samples_of(history, HISTORY_15M) == 18);
    run_seconds(history, start + 50, 10); // set back: what would be in the future goes
    json_t *times = json_object_get(print(history, HISTORY_15M), "time");
    ck_assert(json_array_size(times) == 18);
    for (size_t i = 1; i < json_array_size(times); i++)
        ck_assert(json_integer_value(json_array_get(times, i)) > json_integer_value(json_array_get(times, i - 1)));
    history_free(history);
    tear_down();
}
END_TEST

START_TEST(test_a_restart) {
    set_up();
    ServeHistory *history = open_history(path, start);
    run_seconds(history, start, 130);
    json_t *seconds = print(history, HISTORY_15M), *minutes = print(history, HISTORY_24H);
    history_free(history);
    history = open_history(path, start + 140);
    ck_assert(history_is_kept(history));
    ck_assert(json_equal(seconds, print(history, HISTORY_15M)) && json_equal(minutes, print(history, HISTORY_24H)));
    run_seconds(history, start + 141, 10);
    ck_assert(samples_of(history, HISTORY_15M) == 129 + 9);
    history_free(history);
    history = open_history(path, start + 900 + 60); // what is older than the span is not taken up
    ck_assert(samples_of(history, HISTORY_15M) == 129 + 9 - 60);
    history_free(history);
    ServeHistory *other;
    CHECK_OK(history_new(path, "other", start + 960, events, &other, &err)); // another model has a past of its own
    ck_assert(samples_of(other, HISTORY_15M) == 0);
    history_free(other);
    ck_assert(logged("") == 0);
    tear_down();
}
END_TEST

START_TEST(test_the_file_is_bounded) {
    set_up();
    ServeHistory *history = open_history(path, start);
    for (int day = 0; day < 3; day++)
        for (int i = 0; i < 1440; i += 3)
            for (int j = 0; j < 7; j++)
                history_sample(history, metrics, start + day * 86400 + i * 60 + j * 10);
    history_free(history);
    sqlite3 *db;
    sqlite3_stmt *rows;
    ck_assert(sqlite3_open(path, &db) == SQLITE_OK);
    ck_assert(sqlite3_prepare_v2(db, "SELECT count(*) FROM sample WHERE step = 60", -1, &rows, NULL) == SQLITE_OK);
    ck_assert(sqlite3_step(rows) == SQLITE_ROW);
    ck_assert_int_le(sqlite3_column_int(rows, 0), 1440);
    ck_assert_int_ge(sqlite3_column_int(rows, 0), 400);
    sqlite3_finalize(rows);
    sqlite3_close(db);
    tear_down();
}
END_TEST

static void go_on_without(ServeHistory *history, const char *reason) {
    ck_assert(!history_is_kept(history));
    run_seconds(history, start, 200);
    ck_assert(samples_of(history, HISTORY_15M) == 199 && samples_of(history, HISTORY_24H) == 3);
    history_free(history);
    ck_assert(logged(reason) == 1);
}

START_TEST(test_a_damaged_file) {
    set_up();
    CHECK_OK(file_replace(path, "this is no database, whatever its name may be", 45, &err));
    go_on_without(open_history(path, start), "history.sqlite' is damaged or no dashboard history");
    Bytes left;
    CHECK_OK(file_map(&arena, path, &left, &err));
    ck_assert(left.size == 45); // it is its owner's to look at
    tear_down();
}
END_TEST

START_TEST(test_damage_inside) {
    set_up();
    ServeHistory *history = open_history(path, start);
    run_seconds(history, start, 500);
    history_free(history);
    Bytes whole;
    CHECK_OK(file_map(&arena, path, &whole, &err));
    unsigned char *bytes = arena_alloc(&arena, whole.size, 16, &err);
    memcpy(bytes, whole.data, whole.size);
    memset(bytes + 4096, 0x5a, whole.size - 4096); // all but the first page
    CHECK_OK(file_replace(path, bytes, whole.size, &err));
    history = open_history(path, start + 600);
    ck_assert(!history_is_kept(history) && logged("damaged") == 1);
    history_free(history);
    tear_down();
}
END_TEST

START_TEST(test_a_place_that_is_none) {
    set_up();
    char nowhere[128];
    snprintf(nowhere, sizeof nowhere, "%s/none/history.sqlite", folder);
    go_on_without(open_history(nowhere, start), "cannot be used: unable to open database file");
    tear_down();
}
END_TEST

// The disk is full: the file may not grow beyond what it has.
START_TEST(test_a_full_disk) {
    set_up();
    ServeHistory *history = open_history(path, start);
    struct stat about;
    ck_assert(stat(path, &about) == 0);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, limit;
    ck_assert(getrlimit(RLIMIT_FSIZE, &before) == 0);
    limit = (struct rlimit){(rlim_t)about.st_size + 600, before.rlim_max}; // the log has room for its line
    ck_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    run_seconds(history, start, 62);
    for (int minute = 1; minute < 60 && history_is_kept(history); minute++)
        run_seconds(history, start + 62 + minute * 60, 61);
    ck_assert(!history_is_kept(history));
    ck_assert(samples_of(history, HISTORY_15M) > 60);
    history_free(history);
    ck_assert(setrlimit(RLIMIT_FSIZE, &before) == 0);
    ck_assert(logged("dashboard history") == 1);
    tear_down();
}
END_TEST

TEST_MAIN("serve/history", test_samples, test_the_window_of_quantiles, test_minutes_and_bounds,
          test_gaps_and_clocks_set_back, test_a_restart, test_the_file_is_bounded, test_a_damaged_file,
          test_damage_inside, test_a_place_that_is_none, test_a_full_disk)
