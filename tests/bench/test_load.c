// SPDX-License-Identifier: Apache-2.0
// The parts of hone-load: answers in any pieces, quantiles, plans, times of threads.
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "bench/answer.h"
#include "bench/histogram.h"
#include "bench/plan.h"
#include "bench/threads.h"
#include "measure/statistics.h"

#define HEAD "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
#define PIECE "data: {\"choices\":[{\"text\":\" a\",\"finish_reason\":null}]}\n\n"
#define USAGE "data: {\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":27}}\n\n"
#define DONE "data: [DONE]\n\n"

static void add_chunk(char *stream, size_t bytes, const char *chunk) {
    size_t used = strlen(stream);
    snprintf(stream + used, bytes - used, "%zX\r\n%s\r\n", strlen(chunk), chunk);
}

static void stream_write(char *stream, size_t bytes, const char *last) {
    snprintf(stream, bytes, "%s", HEAD);
    add_chunk(stream, bytes, PIECE);
    add_chunk(stream, bytes, PIECE PIECE);
    add_chunk(stream, bytes, USAGE);
    add_chunk(stream, bytes, last);
    size_t used = strlen(stream);
    snprintf(stream + used, bytes - used, "0\r\n\r\n");
}

static Answer answer_of(const char *text, size_t step) {
    Answer answer;
    answer_begin(&answer);
    for (size_t at = 0, bytes = strlen(text); at < bytes; at += step)
        answer_take(&answer, text + at, bytes - at < step ? bytes - at : step);
    return answer;
}

START_TEST(streams_are_read_in_pieces_of_any_size) {
    char stream[2048];
    stream_write(stream, sizeof stream, DONE);
    for (size_t step = 1; step <= strlen(stream); step++) {
        Answer answer = answer_of(stream, step);
        ck_assert_int_eq(answer.stage, ANSWER_WHOLE);
        ck_assert_uint_eq(answer.pieces, 3);
        ck_assert_uint_eq(answer.tokens, 27);
        ck_assert(answer_is_good(&answer));
    }
}
END_TEST

START_TEST(streams_without_their_end_are_not_good) {
    char stream[2048];
    stream_write(stream, sizeof stream, PIECE);
    Answer answer = answer_of(stream, 7);
    ck_assert_int_eq(answer.stage, ANSWER_WHOLE);
    ck_assert(!answer_is_good(&answer));
    stream_write(stream, sizeof stream, "data: {\"error\":{\"message\":\"no\"}}\n\n");
    answer = answer_of(stream, 7);
    ck_assert(answer.failed && !answer_is_good(&answer));
    stream[strlen(stream) - 20] = '\0';
    answer = answer_of(stream, 7);
    ck_assert_int_lt(answer.stage, ANSWER_WHOLE);
    answer_close(&answer);
    ck_assert_int_eq(answer.stage, ANSWER_BROKEN);
}
END_TEST

START_TEST(whole_answers_say_where_they_end) {
    const char *body = "{\"choices\":[{\"text\":\"\\\"completion_tokens\\\":9 \\ndata: [DONE]\"}],"
                       "\"usage\":{\"completion_tokens\":6}}";
    char text[512];
    int bytes = snprintf(text, sizeof text,
                         "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %zu\r\n"
                         "\r\n%sbehind",
                         strlen(body), body);
    Answer answer;
    answer_begin(&answer);
    ck_assert_uint_eq(answer_take(&answer, text, (size_t)bytes), (size_t)bytes - 6);
    ck_assert(answer_is_good(&answer) && answer.closes && !answer.done);
    ck_assert_uint_eq(answer.tokens, 6);
    answer = answer_of("HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}", 3);
    ck_assert_int_eq(answer.stage, ANSWER_WHOLE);
    ck_assert_int_eq(answer.status, 400);
    ck_assert(!answer_is_good(&answer) && !answer.closes);
    answer = answer_of("HTTP/1.1 503 Service Unavailable\r\n\r\nno length", 5);
    ck_assert_int_eq(answer.stage, ANSWER_REST);
    answer_close(&answer);
    ck_assert(answer.stage == ANSWER_WHOLE && answer.closes);
    answer = answer_of("SSH-2.0-OpenSSH\r\n", 4);
    ck_assert_int_eq(answer.stage, ANSWER_BROKEN);
}
END_TEST

START_TEST(quantiles_are_close_to_the_exact_ones) {
    static Histogram histogram;
    static double values[10000];
    Random random = {7};
    double sum = 0;
    for (int i = 0; i < 10000; i++) {
        values[i] = floor(exp(random_unit(&random) * 24));
        sum += values[i];
        histogram_add(&histogram, (uint64_t)values[i]);
    }
    statistics_sort(values, 10000);
    const double shares[] = {0.01, 0.5, 0.95, 0.99, 1};
    for (size_t i = 0; i < ARRAY_COUNT(shares); i++) {
        double exact = values[(size_t)ceil(shares[i] * 10000) - 1];
        ck_assert_double_le(fabs((double)histogram_quantile(&histogram, shares[i]) - exact), 0.004 * exact + 0.5);
    }
    ck_assert_double_le(fabs(histogram_mean(&histogram) - sum / 10000), 1e-9 * sum);
    ck_assert_double_eq((double)histogram.most, values[9999]);
    histogram_add(&histogram, UINT64_MAX); // beyond the last bucket
    ck_assert_uint_gt(histogram_quantile(&histogram, 1), (uint64_t)1 << 40);
}
END_TEST

static Plan plan_of(const char *lengths) {
    static PlanSource sources[10];
    Error err;
    Plan plan = {.seed = 3, .leave = 0.25, .bad = 0.1, .sources = sources, .source_count = 10};
    CHECK_OK(lengths_parse(lengths, &plan.lengths, &err));
    return plan;
}

START_TEST(plans_follow_their_distributions) {
    enum { COUNT = 20000 };
    Plan uniform = plan_of("10:80"), geometric = plan_of("geometric:45:200"), fixed = plan_of("12");
    double sum = 0, geometric_sum = 0, capped = 0;
    int left = 0, bad = 0, seen[10] = {0}, low = 0, high = 0;
    for (uint64_t i = 0; i < COUNT; i++) {
        Planned a = plan_request(&uniform, i), b = plan_request(&geometric, i);
        ck_assert(a.tokens >= 10 && a.tokens <= 80 && b.tokens >= 1 && b.tokens <= 200);
        ck_assert_uint_eq(plan_request(&fixed, i).tokens, 12);
        sum += a.tokens;
        geometric_sum += b.tokens;
        capped += b.tokens == 200;
        low += a.tokens == 10;
        high += a.tokens == 80;
        left += a.leaves;
        bad += a.bad >= 0;
        seen[a.source]++;
    }
    ck_assert_double_le(fabs(sum / COUNT - 45), 0.75);                              // deviation of the mean: 0.145
    double most = pow(1 - 1 / 45.0, 199), mean = 45 * (1 - pow(1 - 1 / 45.0, 200)); // of the one cut at 200
    ck_assert_double_le(fabs(geometric_sum / COUNT - mean), 1.5);
    ck_assert_double_le(fabs(capped / COUNT - most), 0.004);
    ck_assert(low > 180 && low < 400 && high > 180 && high < 400); // 282 expected of each
    ck_assert_double_le(fabs((double)left / COUNT - 0.25), 0.02);
    ck_assert_double_le(fabs((double)bad / COUNT - 0.1), 0.015);
    for (int i = 0; i < 10; i++)
        ck_assert(seen[i] > 1700 && seen[i] < 2300);
}
END_TEST

START_TEST(plans_depend_on_the_seed_alone) {
    Plan one = plan_of("10:80"), other = plan_of("10:80");
    Planned last = plan_request(&one, 99), again = plan_request(&other, 99);
    ck_assert(last.tokens == again.tokens && last.source == again.source && last.leaves == again.leaves);
    other.seed = 4;
    int differ = 0;
    for (uint64_t i = 0; i < 50; i++)
        differ += plan_request(&one, i).tokens != plan_request(&other, i).tokens;
    ck_assert_int_gt(differ, 40);
    Random random = {1};
    double sum = 0;
    for (int i = 0; i < 20000; i++)
        sum += plan_gap_s(&random, 50);
    ck_assert_double_le(fabs(sum / 20000 - 0.02), 0.001);
}
END_TEST

START_TEST(lengths_that_are_none_are_refused) {
    Error err;
    Lengths lengths;
    const char *const wrong[] = {"",         "x",  "10:", "80:10", "0", "1.5", "geometric:45", "geometric:45:20",
                                 "10:80:90", "nan"};
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
        CHECK_FAILS(lengths_parse(wrong[i], &lengths, &err), ERR_USAGE, "the lengths are");
}
END_TEST

START_TEST(workloads_are_ids_or_texts) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    Plan plan;
    const char *good = "{\"id\":1,\"input_ids\":[0,5,2]}\n{\"text\":\"a \\\"b\\\"\"}";
    CHECK_OK(file_replace("workload.jsonl", good, strlen(good), &err));
    CHECK_OK(plan_read(&arena, "workload.jsonl", &plan, &err));
    ck_assert_uint_eq(plan.source_count, 2);
    ck_assert_str_eq(plan.sources[0].json, "[0,5,2]");
    ck_assert_uint_eq(plan.sources[0].tokens, 3);
    ck_assert_str_eq(plan.sources[1].json, "\"a \\\"b\\\"\"");
    const char *bad = "{\"input_ids\":[0]}\n{\"ids\":[0]}\n";
    CHECK_OK(file_replace("workload.jsonl", bad, strlen(bad), &err));
    CHECK_FAILS(plan_read(&arena, "workload.jsonl", &plan, &err), ERR_FORMAT,
                "line 2 has neither 'input_ids' nor 'text'");
    CHECK_OK(file_replace("workload.jsonl", "", 0, &err));
    CHECK_FAILS(plan_read(&arena, "workload.jsonl", &plan, &err), ERR_FORMAT, "has 0 lines");
    unlink("workload.jsonl");
    arena_done(&arena);
}
END_TEST

START_TEST(the_times_of_threads_are_told) {
    Error err;
    ThreadTimes before, after;
    CHECK_OK(threads_read(getpid(), &before, &err));
    ck_assert_uint_eq(before.threads, 1);
    ck_assert_uint_gt(before.resident_bytes, 100000);
    volatile double work = 1;
    do {
        for (int i = 0; i < 1000000; i++)
            work = work * 1.0000001 + 1e-9;
        CHECK_OK(threads_read(getpid(), &after, &err));
    } while (after.main_s - before.main_s < 0.02);
    ck_assert_double_eq(after.engine_s + after.http_s + after.watch_s, 0);
    CHECK_FAILS(threads_read(4194304 + 1, &after, &err), ERR_IO, "there is no process");
}
END_TEST

TEST_MAIN("load", streams_are_read_in_pieces_of_any_size, streams_without_their_end_are_not_good,
          whole_answers_say_where_they_end, quantiles_are_close_to_the_exact_ones, plans_follow_their_distributions,
          plans_depend_on_the_seed_alone, lengths_that_are_none_are_refused, workloads_are_ids_or_texts,
          the_times_of_threads_are_told)
