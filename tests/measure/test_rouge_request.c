// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "base/fault.h"
#include "measure/rouge_aggregate.h"
#include "measure/rouge_request.h"

static Bytes bytes_of(const char *text) {
    return (Bytes){(const unsigned char *)text, strlen(text)};
}

static Status score_line(const char *line, RougeScore *ret_scores, Error *err) {
    RougeOptions options = {0};
    TRY(rouge_types_parse("rouge1,rougeL", &options, err));
    Arena arena;
    arena_init(&arena, 0);
    json_t *request = NULL;
    RougeScorer *scorer = rouge_new(&options, err);
    Status status = scorer ? json_parse(&arena, "line 1", bytes_of(line), true, &request, err) : err->status;
    if (status == OK)
        status = rouge_request_score(scorer, &arena, request, ret_scores, err);
    rouge_free(scorer);
    arena_done(&arena);
    return status;
}

START_TEST(answers) {
    Error err;
    RougeOptions options = {0};
    CHECK_OK(rouge_types_parse("rouge1,rougeL", &options, &err));
    RougeScore scores[ROUGE_TYPES_MOST];
    CHECK_OK(score_line("{\"id\":7,\"target\":[\"x\",\"b a c d\"],\"prediction\":\"a\\u0000b\"}", scores, &err));
    Buffer text = {0};
    rouge_scores_print(&options, scores, &text);
    ck_assert_str_eq(text.data, "{\"rouge1\":{\"precision\":1,\"recall\":0.5,\"fmeasure\":0.66666666666666663},"
                                "\"rougeL\":{\"precision\":0.5,\"recall\":0.25,\"fmeasure\":0.33333333333333331}}");
    buffer_done(&text);
}
END_TEST

START_TEST(refusals) {
    Error err;
    RougeScore scores[ROUGE_TYPES_MOST];
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"", "line 1: not valid JSON"},
        {"[1]", "expected an object with 'target' and 'prediction'"},
        {"{\"prediction\":\"a\"}", "'target' is missing, expected a string or an array"},
        {"{\"target\":null,\"prediction\":\"a\"}", "'target' is neither"},
        {"{\"target\":[],\"prediction\":\"a\"}", "'target' is an empty array"},
        {"{\"target\":[\"a\",null],\"prediction\":\"a\"}", "'target' holds something else at place 1"},
        {"{\"target\":\"a\"}", "'prediction' is missing, expected a string"},
        {"{\"target\":\"a\",\"prediction\":[\"a\"]}", "'prediction' is something else, expected a string"},
        {"{\"target\":\"a\",\"target\":\"b\",\"prediction\":\"a\"}", "not valid JSON"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        CHECK_FAILS(score_line(cases[i].line, scores, &err), ERR_FORMAT, cases[i].message);
}
END_TEST

START_TEST(aggregates) {
    Error err;
    RougeOptions options = {0};
    CHECK_OK(rouge_types_parse("rouge1", &options, &err));
    RougeAggregate aggregate;
    rouge_aggregate_init(&aggregate, &options);
    Buffer text = {0};
    CHECK_FAILS(rouge_aggregate_print(&aggregate, 1, &text, &err), ERR_FORMAT, "no pair to aggregate");
    for (int i = 0; i < 100; i++)
        CHECK_OK(rouge_aggregate_add(&aggregate, &(RougeScore){0.5, i / 100.0, 0.25}, &err));
    Interval recall = rouge_aggregate_interval(&aggregate, 0, ROUGE_RECALL, 1);
    ck_assert_double_eq_tol(recall.mean, 0.495, 1e-12);
    ck_assert(recall.low > 0.42 && recall.low < recall.mid && recall.mid < recall.high && recall.high < 0.57);
    ck_assert_double_eq(rouge_aggregate_values(&aggregate, 0, ROUGE_RECALL)[99], 0.99);
    CHECK_OK(rouge_aggregate_print(&aggregate, 1, &text, &err));
    const char *begin =
        "{\"samples\":100,\"rouge1\":{\"precision\":{\"mean\":0.5,\"low\":0.5,\"mid\":0.5,\"high\":0.5},\"recall\":{";
    ck_assert_msg(strncmp(text.data, begin, strlen(begin)) == 0, "%s", text.data);
    Arena arena;
    arena_init(&arena, 0);
    json_t *value = NULL;
    CHECK_OK(json_parse(&arena, "answer", (Bytes){(const unsigned char *)text.data, text.bytes}, false, &value, &err));
    arena_done(&arena);
    buffer_done(&text);
    rouge_aggregate_done(&aggregate);
}
END_TEST

static Status score_and_add(Error *err) {
    RougeScore scores[ROUGE_TYPES_MOST];
    RougeOptions options = {0};
    TRY(rouge_types_parse("rouge1,rougeL", &options, err));
    TRY(score_line("{\"target\":[\"a b\",\"b c\"],\"prediction\":\"a b c\"}", scores, err));
    RougeAggregate aggregate;
    rouge_aggregate_init(&aggregate, &options);
    Status status = rouge_aggregate_add(&aggregate, scores, err);
    ck_assert_uint_eq(aggregate.samples, status == OK);
    rouge_aggregate_done(&aggregate);
    return status;
}

START_TEST(every_allocation_may_fail) {
    Error err;
    fault_arm(FAULT_ALLOCATION, UINT64_MAX);
    CHECK_OK(score_and_add(&err));
    uint64_t allocations = fault_seen(FAULT_ALLOCATION);
    ck_assert_uint_gt(allocations, 10);
    for (uint64_t nth = 1; nth <= allocations; nth++) {
        fault_arm(FAULT_ALLOCATION, nth);
        Status status = score_and_add(&err);
        // jansson's lexer takes some failures of memory for a bad text.
        bool misread = status == ERR_FORMAT && strstr(err.message, "not valid JSON");
        ck_assert_msg(status == ERR_MEMORY || misread, "allocation %d: %s", (int)nth, err.message);
    }
    fault_arm(FAULT_ALLOCATION, 0);
}
END_TEST

TEST_MAIN("measure/rouge_request", answers, refusals, aggregates, every_allocation_may_fail)
