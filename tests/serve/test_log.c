// SPDX-License-Identifier: Apache-2.0
// The log: what its lines hold, that nothing can forge one, and that a reader who does not read holds nobody up.
#include "serve/log.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/json.h"
#include "check.h"

static Error err;
static char path[64];
static Arena arena;

static void set_up(void) {
    signal(SIGPIPE, SIG_IGN);
    arena_init(&arena, 0);
    snprintf(path, sizeof path, "/tmp/hone-log-XXXXXX");
    int descriptor = mkstemp(path);
    ck_assert(descriptor >= 0);
    close(descriptor);
}

static void tear_down(void) {
    unlink(path);
    arena_done(&arena);
}

// The file as an array of the objects of its lines.
static json_t *read_lines(void) {
    Bytes text;
    CHECK_OK(file_map(&arena, path, &text, &err));
    json_t *lines = json_array();
    for (size_t at = 0; at < text.size;) {
        const unsigned char *end = memchr(text.data + at, '\n', text.size - at);
        ck_assert_msg(end != NULL, "a line without its end");
        size_t bytes = (size_t)(end - text.data) - at;
        ck_assert(bytes < LOG_LINE_BYTES);
        json_t *line;
        CHECK_OK(json_parse(&arena, "line", (Bytes){text.data + at, bytes}, false, &line, &err));
        json_array_append(lines, line);
        at += bytes + 1;
    }
    return lines;
}

static const char *text_of(const json_t *lines, size_t line, const char *member) {
    return json_string_value(json_object_get(json_array_get(lines, line), member));
}

static const LogRequest request = {.request_id = "0f3a",
                                   .trace_id = "4bf92f3577b34da6a3ce929d0e0e4736",
                                   .client = "127.0.0.1",
                                   .key = "team-a",
                                   .route = "/v1/summarize",
                                   .model = "bart",
                                   .finish = "stop",
                                   .status = 200,
                                   .source_tokens = 120,
                                   .new_tokens = 24,
                                   .queue_ms = 0.5,
                                   .encode_ms = 12.25,
                                   .decode_ms = NAN,
                                   .total_ms = 99};

START_TEST(test_a_request) {
    set_up();
    Log *log;
    CHECK_OK(log_new(path, LOG_INFO, &log, &err));
    log_request(log, &request);
    log_free(log);
    Bytes text;
    CHECK_OK(file_map(&arena, path, &text, &err));
    char line[LOG_LINE_BYTES];
    snprintf(line, sizeof line, "%.*s", (int)text.size, (const char *)text.data);
    // {"time":"2026-02-03T04:05:06.789Z"
    ck_assert(line[9] == '2' && line[19] == 'T' && line[28] == '.' && line[32] == 'Z');
    ck_assert_str_eq(line + 33, "\",\"level\":\"info\",\"event\":\"request\",\"request_id\":\"0f3a\","
                                "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"client\":\"127.0.0.1\","
                                "\"key\":\"team-a\",\"route\":\"/v1/summarize\",\"model\":\"bart\",\"status\":200,"
                                "\"source_tokens\":120,\"new_tokens\":24,\"queue_ms\":0.500,\"encode_ms\":12.250,"
                                "\"total_ms\":99.000,\"finish\":\"stop\"}\n");
    tear_down();
}
END_TEST

START_TEST(test_events_and_levels) {
    set_up();
    Log *log;
    CHECK_OK(log_new(path, LOG_WARNING, &log, &err));
    log_event(log, LOG_INFO, "ready", NULL, "not written");
    log_event(log, LOG_WARNING, "drain", "bart", "%d requests to finish", 3);
    log_request(log, &request); // 200: not written
    LogRequest failed = request;
    failed.status = 500;
    failed.error = "out of paper";
    log_request(log, &failed);
    log_event(NULL, LOG_ERROR, "stop", NULL, "no log");
    log_free(log);
    json_t *lines = read_lines();
    ck_assert(json_array_size(lines) == 2);
    ck_assert_str_eq(text_of(lines, 0, "message"), "3 requests to finish");
    ck_assert_str_eq(text_of(lines, 0, "model"), "bart");
    ck_assert_str_eq(text_of(lines, 0, "level"), "warning");
    ck_assert_str_eq(text_of(lines, 1, "level"), "error");
    ck_assert_str_eq(text_of(lines, 1, "error"), "out of paper");
    json_decref(lines);
    tear_down();
}
END_TEST

START_TEST(test_no_text_forges_a_line) {
    set_up();
    Log *log;
    CHECK_OK(log_new(path, LOG_INFO, &log, &err));
    LogRequest odd = request;
    odd.request_id = "a\"}\n{\"event\":\"ready\"}\r\n";
    odd.client = "\x1b[2J\x7f\xc2\x9b" // escape, delete, and the C1 control that begins an escape
                 "31m\xe2\x80\xa8\xc2\x85";
    odd.route = "\xff\xc0\xaf/";
    log_request(log, &odd);
    log_free(log);
    Bytes text;
    CHECK_OK(file_map(&arena, path, &text, &err));
    for (size_t i = 0; i + 1 < text.size; i++)
        ck_assert(text.data[i] >= 0x20 && text.data[i] != 0x7f);
    json_t *lines = read_lines();
    ck_assert(json_array_size(lines) == 1);
    ck_assert_str_eq(text_of(lines, 0, "event"), "request");
    ck_assert_str_eq(text_of(lines, 0, "request_id"), "a\"}\xef\xbf\xbd{\"event\":\"ready\"}\xef\xbf\xbd\xef\xbf\xbd");
    ck_assert_str_eq(text_of(lines, 0, "client"), "\xef\xbf\xbd[2J\xef\xbf\xbd\xef\xbf\xbd"
                                                  "31m\xef\xbf\xbd\xef\xbf\xbd");
    json_decref(lines);
    tear_down();
}
END_TEST

START_TEST(test_long_texts_are_cut) {
    set_up();
    Log *log;
    CHECK_OK(log_new(path, LOG_INFO, &log, &err));
    static char quotes[20000], letters[20000];
    memset(quotes, '"', sizeof quotes - 1);
    memset(letters, 'a', sizeof letters - 1);
    LogRequest big = request;
    big.route = letters;
    log_request(log, &big);
    big.request_id = big.trace_id = big.client = big.key = big.route = big.model = big.finish = big.error = quotes;
    log_request(log, &big);
    log_event(log, LOG_INFO, letters, letters, "%s", letters);
    ck_assert(log_dropped(log) == 0);
    log_free(log);
    json_t *lines = read_lines(); // each shorter than LOG_LINE_BYTES
    ck_assert(json_array_size(lines) == 3);
    ck_assert(strlen(text_of(lines, 0, "route")) == 480);
    ck_assert_str_eq(text_of(lines, 0, "request_id"), "0f3a");
    json_decref(lines);
    tear_down();
}
END_TEST

// A pipe that nobody reads: lines are dropped, at once, and the first that gets through tells it.
START_TEST(test_a_full_pipe_drops_lines) {
    set_up();
    int ends[2];
    ck_assert(pipe(ends) == 0);
    int before = dup(STDERR_FILENO);
    ck_assert(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    close(ends[1]);
    Log *log;
    CHECK_OK(log_new(NULL, LOG_INFO, &log, &err));
    ck_assert(!(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK)); // which others share
    static char letters[400];
    memset(letters, 'a', sizeof letters - 1);
    uint64_t count = 0;
    while (log_dropped(log) < 5 && count++ < 100000)
        log_event(log, LOG_INFO, "fill", NULL, "%s", letters);
    ck_assert(log_dropped(log) == 5);
    static char taken[1 << 20];
    ck_assert(read(ends[0], taken, sizeof taken) > 0);
    log_event(log, LOG_INFO, "after", NULL, "-");
    log_event(log, LOG_INFO, "last", NULL, "-");
    ssize_t got = read(ends[0], taken, sizeof taken - 1);
    ck_assert(got > 0);
    taken[got] = '\0';
    ck_assert_ptr_nonnull(strstr(taken, "\"event\":\"after\",\"lines_dropped\":5,"));
    ck_assert_ptr_nonnull(strstr(taken, "\"event\":\"last\",\"message\":"));
    close(ends[0]); // a reader that is gone
    log_event(log, LOG_INFO, "lost", NULL, "-");
    ck_assert(log_dropped(log) == 6);
    log_free(log);
    dup2(before, STDERR_FILENO);
    tear_down();
}
END_TEST

START_TEST(test_a_failed_write_is_counted) {
    set_up();
    Log *log;
    CHECK_OK(log_new(path, LOG_INFO, &log, &err));
    fault_arm(FAULT_WRITE, 1);
    log_request(log, &request);
    fault_arm(FAULT_WRITE, 0);
    ck_assert(log_dropped(log) == 1);
    fault_arm(FAULT_ALLOCATION, 1);
    log_request(log, &request);
    fault_arm(FAULT_ALLOCATION, 0);
    ck_assert(log_dropped(log) == 2);
    log_free(log);
    if (access("/dev/full", W_OK) == 0) {
        CHECK_OK(log_new("/dev/full", LOG_INFO, &log, &err));
        log_request(log, &request);
        ck_assert(log_dropped(log) == 1);
        log_free(log);
    }
    CHECK_FAILS(log_new("/dev/null/log", LOG_INFO, &log, &err), ERR_IO,
                "log '/dev/null/log' cannot be opened: Not a dir");
    tear_down();
}
END_TEST

START_TEST(test_rotation) {
    set_up();
    Log *log;
    CHECK_OK(log_new(path, LOG_INFO, &log, &err));
    log_event(log, LOG_INFO, "one", NULL, "-");
    char old[80];
    snprintf(old, sizeof old, "%s.1", path);
    ck_assert(rename(path, old) == 0);
    log_event(log, LOG_INFO, "two", NULL, "-");
    CHECK_OK(log_reopen(log, &err));
    log_event(log, LOG_INFO, "three", NULL, "-");
    log_free(log);
    json_t *lines = read_lines();
    ck_assert(json_array_size(lines) == 1);
    ck_assert_str_eq(text_of(lines, 0, "event"), "three");
    json_decref(lines);
    struct stat about;
    ck_assert(stat(path, &about) == 0 && !(about.st_mode & 0007)); // nobody else's
    unlink(old);
    tear_down();
}
END_TEST

START_TEST(test_trace_ids) {
    char id[TRACE_ID_BYTES];
    ck_assert(log_trace_id("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", id));
    ck_assert_str_eq(id, "4bf92f3577b34da6a3ce929d0e0e4736");
    ck_assert(log_trace_id("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", id));
    static const char *const none[] = {
        NULL,
        "",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-", // version 00 has no more
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",  // no version
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",  // no id
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",  // no parent
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",  // upper case
        "00-4bf92f3577b34da6a3ce929d0e0e473\n-00f067aa0ba902b7-01", // a forged line
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    };
    for (size_t i = 0; i < ARRAY_COUNT(none); i++)
        ck_assert_msg(!log_trace_id(none[i], id), "%s", none[i]);
}
END_TEST

TEST_MAIN("serve/log", test_a_request, test_events_and_levels, test_no_text_forges_a_line, test_long_texts_are_cut,
          test_a_full_pipe_drops_lines, test_a_failed_write_is_counted, test_rotation, test_trace_ids)
