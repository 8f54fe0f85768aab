// SPDX-License-Identifier: Apache-2.0
// Metrics: what is counted, how it is told, and what promtool has to say about it.
#include "serve/metrics.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static Error err;

static Metrics *new_metrics(const char *model) {
    Metrics *metrics;
    CHECK_OK(metrics_new(model, &metrics, &err));
    return metrics;
}

// What metrics_print says of one metric: its lines that hold `word`.
static void check_lines(const Buffer *text, const char *word, const char *expected) {
    Buffer found = {0};
    buffer_add_text(&found, "");
    for (const char *line = text->data; *line;) {
        const char *end = strchr(line, '\n') + 1;
        Buffer one = {0};
        buffer_add(&one, line, (size_t)(end - line));
        if (strstr(one.data, word))
            buffer_add_text(&found, one.data);
        buffer_done(&one);
        line = end;
    }
    ck_assert_str_eq(found.bytes ? found.data : "", expected);
    buffer_done(&found);
}

START_TEST(test_counters_and_gauges_in_text) {
    Metrics *metrics = new_metrics("bart"), *server = new_metrics(NULL);
    metrics_add(metrics, METRIC_REQUESTS_CANCELLED, PHASE_ENCODING, 2);
    metrics_add(metrics, METRIC_STEP_SECONDS, PART_HEAD, 0.25);
    metrics_add(metrics, METRIC_STEP_SECONDS, PART_HEAD, 0.1);
    metrics_set(metrics, METRIC_REQUESTS_QUEUED, 0, 7);
    metrics_add(metrics, METRIC_REQUESTS_QUEUED, 0, -3);
    metrics_add(server, METRIC_HTTP_REQUESTS, metric_route_code(ROUTE_GENERATE, 429), 1);
    const Metrics *both[] = {server, metrics};
    Buffer text = {0};
    metrics_print(both, 2, &text);
    CHECK_OK(buffer_status(&text, &err));
    check_lines(&text, "hone_requests_cancelled_total",
                "# HELP hone_requests_cancelled_total Requests whose client left or took them back, by how far they "
                "were.\n"
                "# TYPE hone_requests_cancelled_total counter\n"
                "hone_requests_cancelled_total{model_name=\"bart\",phase=\"queued\"} 0\n"
                "hone_requests_cancelled_total{model_name=\"bart\",phase=\"encoding\"} 2\n"
                "hone_requests_cancelled_total{model_name=\"bart\",phase=\"decoding\"} 0\n");
    check_lines(&text, "part=\"head\"", "hone_step_seconds_total{model_name=\"bart\",part=\"head\"} 0.35\n");
    check_lines(&text, "hone_requests_queued{", "hone_requests_queued{model_name=\"bart\"} 4\n");
    check_lines(&text, "vllm:num_requests_waiting",
                "# HELP vllm:num_requests_waiting Requests that wait to be scheduled.\n"
                "# TYPE vllm:num_requests_waiting gauge\n"
                "vllm:num_requests_waiting{model_name=\"bart\",engine=\"0\"} 4\n");
    check_lines(&text, "route=\"generate\",code=\"4xx\"",
                "hone_http_requests_total{route=\"generate\",code=\"4xx\"} 1\n");
    check_lines(&text, "hone_build_info{", "hone_build_info{version=\"" HONE_VERSION "\"} 1\n");
    buffer_done(&text);
    metrics_free(metrics);
    metrics_free(server);
}
END_TEST

START_TEST(test_histograms_in_text) {
    Metrics *metrics = new_metrics("bart");
    metrics_observe(metrics, METRIC_STEP_ROWS, 0, 1);
    metrics_observe(metrics, METRIC_STEP_ROWS, 0, 5);
    metrics_observe(metrics, METRIC_STEP_ROWS, 0, 6);
    metrics_observe(metrics, METRIC_STEP_ROWS, 0, 1000);
    metrics_observe(metrics, METRIC_STEP_ROWS, 0, NAN); // counts as 0
    const Metrics *one[] = {metrics};
    Buffer text = {0};
    metrics_print(one, 1, &text);
    check_lines(&text, "hone_decode_step_rows",
                "# HELP hone_decode_step_rows Rows of a decoder step.\n"
                "# TYPE hone_decode_step_rows histogram\n"
                "hone_decode_step_rows_bucket{model_name=\"bart\",le=\"1\"} 2\n"
                "hone_decode_step_rows_bucket{model_name=\"bart\",le=\"2\"} 2\n"
                "hone_decode_step_rows_bucket{model_name=\"bart\",le=\"3\"} 2\n"
                "hone_decode_step_rows_bucket{model_name=\"bart\",le=\"4\"} 2\n"
                "hone_decode_step_rows_bucket{model_name=\"bart\",le=\"6\"} 4\n"
                "hone_decode_step_rows_bucket{model_name=\"bart\",le=\"8\"} 4\n"
                "hone_decode_step_rows_bucket{model_name=\"bart\",le=\"12\"} 4\n"
                "hone_decode_step_rows_bucket{model_name=\"bart\",le=\"16\"} 4\n"
                "hone_decode_step_rows_bucket{model_name=\"bart\",le=\"24\"} 4\n"
                "hone_decode_step_rows_bucket{model_name=\"bart\",le=\"32\"} 4\n"
                "hone_decode_step_rows_bucket{model_name=\"bart\",le=\"48\"} 4\n"
                "hone_decode_step_rows_bucket{model_name=\"bart\",le=\"64\"} 4\n"
                "hone_decode_step_rows_bucket{model_name=\"bart\",le=\"96\"} 4\n"
                "hone_decode_step_rows_bucket{model_name=\"bart\",le=\"128\"} 4\n"
                "hone_decode_step_rows_bucket{model_name=\"bart\",le=\"192\"} 4\n"
                "hone_decode_step_rows_bucket{model_name=\"bart\",le=\"256\"} 4\n"
                "hone_decode_step_rows_bucket{model_name=\"bart\",le=\"512\"} 4\n"
                "hone_decode_step_rows_bucket{model_name=\"bart\",le=\"+Inf\"} 5\n"
                "hone_decode_step_rows_sum{model_name=\"bart\"} 1012\n"
                "hone_decode_step_rows_count{model_name=\"bart\"} 5\n");
    ck_assert(metrics_value(metrics, METRIC_STEP_ROWS, 0) == 5 && metrics_sum(metrics, METRIC_STEP_ROWS, 0) == 1012);
    // vLLM's newer and older name of one figure
    ck_assert_ptr_nonnull(
        strstr(text.data, "\nvllm:inter_token_latency_seconds_count{model_name=\"bart\",engine=\"0\"} 0\n"));
    ck_assert_ptr_nonnull(
        strstr(text.data, "\nvllm:time_per_output_token_seconds_count{model_name=\"bart\",engine=\"0\"} 0\n"));
    buffer_done(&text);
    metrics_free(metrics);
}
END_TEST

START_TEST(test_labels_are_escaped) {
    Metrics *metrics = new_metrics("a\"b\\c\nd} 1");
    const Metrics *one[] = {metrics};
    Buffer text = {0};
    metrics_print(one, 1, &text);
    check_lines(&text, "hone_requests_failed_total{",
                "hone_requests_failed_total{model_name=\"a\\\"b\\\\c\\nd} 1\"} 0\n");
    buffer_done(&text);
    metrics_free(metrics);
}
END_TEST

START_TEST(test_several_models_share_their_heads) {
    Metrics *server = new_metrics(NULL), *a = new_metrics("a"), *b = new_metrics("b");
    const Metrics *all[] = {server, a, b};
    Buffer text = {0};
    metrics_print(all, 3, &text);
    check_lines(&text, "hone_requests_running",
                "# HELP hone_requests_running Requests in the engine.\n"
                "# TYPE hone_requests_running gauge\n"
                "hone_requests_running{model_name=\"a\"} 0\n"
                "hone_requests_running{model_name=\"b\"} 0\n");
    check_lines(&text, "hone_up", "# HELP hone_up 1 while the server answers.\n# TYPE hone_up gauge\nhone_up 0\n");
    buffer_done(&text);
    metrics_free(server);
    metrics_free(a);
    metrics_free(b);
}
END_TEST

START_TEST(test_kv_usage_is_worked_out) {
    Metrics *metrics = new_metrics("bart");
    ck_assert(metrics_value(metrics, METRIC_KV_USAGE, 0) == 0);
    metrics_set(metrics, METRIC_KV_PAGES, 0, 200);
    metrics_set(metrics, METRIC_KV_PAGES_USED, PAGES_SELF, 20);
    metrics_set(metrics, METRIC_KV_PAGES_USED, PAGES_CROSS, 30);
    metrics_set(metrics, METRIC_KV_PAGES_CACHED, 0, 100); // held by the cache only: not used
    ck_assert(metrics_value(metrics, METRIC_KV_USAGE, 0) == 0.25);
    const Metrics *one[] = {metrics};
    Buffer text = {0};
    metrics_print(one, 1, &text);
    check_lines(&text, "vllm:kv_cache_usage_perc{",
                "vllm:kv_cache_usage_perc{model_name=\"bart\",engine=\"0\"} 0.25\n");
    buffer_done(&text);
    metrics_free(metrics);
}
END_TEST

START_TEST(test_quantiles_since_a_mark) {
    Metrics *metrics = new_metrics("bart");
    MetricsMark *mark;
    CHECK_OK(metrics_mark_new(&mark, &err));
    ck_assert(isnan(metrics_quantile(metrics, mark, METRIC_TOKEN_SECONDS, 0, 0.5)));
    for (int i = 0; i < 100; i++)
        metrics_observe(metrics, METRIC_TOKEN_SECONDS, 0, i < 90 ? 0.005 : 0.05);
    // 90 in (0.0032, 0.0056], 10 in (0.032, 0.056]
    ck_assert_double_eq_tol(metrics_quantile(metrics, mark, METRIC_TOKEN_SECONDS, 0, 0.45), 0.0044, 1e-12);
    ck_assert_double_eq_tol(metrics_quantile(metrics, mark, METRIC_TOKEN_SECONDS, 0, 0.95), 0.044, 1e-12);
    ck_assert_double_eq_tol(metrics_quantile(metrics, mark, METRIC_TOKEN_SECONDS, 0, 1), 0.056, 1e-12);
    metrics_mark(metrics, mark);
    ck_assert(isnan(metrics_quantile(metrics, mark, METRIC_TOKEN_SECONDS, 0, 0.5)));
    metrics_observe(metrics, METRIC_TOKEN_SECONDS, 0, 500);
    metrics_add(metrics, METRIC_REQUESTS_REJECTED, REJECTED_MEMORY, 3);
    ck_assert(metrics_quantile(metrics, mark, METRIC_TOKEN_SECONDS, 0, 0.5) == 56); // beyond the last bound
    ck_assert(metrics_value_since(metrics, mark, METRIC_TOKEN_SECONDS, 0) == 1);
    ck_assert(metrics_sum_since(metrics, mark, METRIC_TOKEN_SECONDS, 0) == 500);
    ck_assert(metrics_total_since(metrics, mark, METRIC_REQUESTS_REJECTED) == 3);
    metrics_mark_free(mark);
    metrics_free(metrics);
}
END_TEST

enum { THREADS = 4, TIMES = 20000 };

static void *count_much(void *context) {
    Metrics *metrics = context;
    for (int i = 0; i < TIMES; i++) {
        metrics_add(metrics, METRIC_GENERATED_TOKENS, 0, 1);
        metrics_add(metrics, METRIC_REQUESTS_RUNNING, 0, i % 2 ? -1 : 1);
        metrics_observe(metrics, METRIC_STEP_ROWS, 0, i % 4);
    }
    return NULL;
}

START_TEST(test_threads_lose_nothing) {
    Metrics *metrics = new_metrics("bart");
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        ck_assert(pthread_create(&threads[i], NULL, count_much, metrics) == 0);
    const Metrics *one[] = {metrics};
    Buffer text = {0};
    for (int i = 0; i < 20; i++) {
        buffer_clear(&text);
        metrics_print(one, 1, &text); // while they count
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert(metrics_value(metrics, METRIC_GENERATED_TOKENS, 0) == (double)THREADS * TIMES);
    ck_assert(metrics_value(metrics, METRIC_REQUESTS_RUNNING, 0) == 0);
    ck_assert(metrics_value(metrics, METRIC_STEP_ROWS, 0) == (double)THREADS * TIMES);
    ck_assert(metrics_sum(metrics, METRIC_STEP_ROWS, 0) == THREADS * TIMES * 1.5);
    buffer_done(&text);
    metrics_free(metrics);
}
END_TEST

// Runs `promtool check metrics` over a text; ret_said holds what it complained about. False where there is none.
static bool promtool(const char *text, Buffer *ret_said) {
    int in[2], out[2];
    ck_assert(pipe(in) == 0 && pipe(out) == 0);
    pid_t child = fork();
    ck_assert(child >= 0);
    if (!child) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(out[1], 2);
        close(in[0]), close(in[1]), close(out[0]), close(out[1]);
        execlp("promtool", "promtool", "check", "metrics", (char *)NULL);
        _exit(127);
    }
    close(in[0]), close(out[1]);
    size_t left = strlen(text);
    while (left) { // it reads all before it speaks
        ssize_t written = write(in[1], text, left);
        if (written <= 0)
            break;
        text += written, left -= (size_t)written;
    }
    close(in[1]);
    char said[4096];
    for (ssize_t got; (got = read(out[0], said, sizeof said)) > 0;)
        buffer_add(ret_said, said, (size_t)got);
    close(out[0]);
    int status;
    ck_assert(waitpid(child, &status, 0) == child && WIFEXITED(status));
    ck_assert_msg(WEXITSTATUS(status) != 1, "promtool cannot read the text: %s", ret_said->data);
    return WEXITSTATUS(status) != 127;
}

START_TEST(test_promtool_is_content) {
    signal(SIGPIPE, SIG_IGN);
    Metrics *server = new_metrics(NULL), *metrics = new_metrics("facebook/bart \"base\"");
    metrics_observe(metrics, METRIC_FIRST_TOKEN_SECONDS, 0, 0.0123);
    metrics_add(metrics, METRIC_STEP_SECONDS, PART_DECODE, 1.0 / 3);
    const Metrics *all[] = {server, metrics};
    Buffer text = {0}, said = {0};
    metrics_print(all, 2, &text);
    if (!promtool(text.data, &said))
        CHECK_SKIP("there is no promtool");
    // Colons are vLLM's, and so is a histogram called _total; all else is clean.
    for (char *line = said.data; line && *line; line = strchr(line, '\n') + 1)
        ck_assert_msg(strncmp(line, "vllm:", 5) == 0, "promtool says: %s", line);
    buffer_done(&text);
    buffer_done(&said);
    metrics_free(server);
    metrics_free(metrics);
}
END_TEST

TEST_MAIN("serve/metrics", test_counters_and_gauges_in_text, test_histograms_in_text, test_labels_are_escaped,
          test_several_models_share_their_heads, test_kv_usage_is_worked_out, test_quantiles_since_a_mark,
          test_threads_lose_nothing, test_promtool_is_content)
