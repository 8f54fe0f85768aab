// SPDX-License-Identifier: Apache-2.0
// Evidence in hone.json: summed up, held against the weights, and damaged.
#include "compress/evidence_summary.h"

#include <math.h>

#include "compress/quantize.h"
#include "compress/tiny.h"
#include "compress/verify.h"

static Error err;

// What the sentence about this document is, or the message of its failure.
static void check_line(const char *document, Status expected, const char *line) {
    Buffer text = {0};
    EvidenceSummary summary;
    json_t *evidence = json_loads(document, JSON_DECODE_ANY, NULL);
    ck_assert_msg(evidence != NULL, "not JSON: %s", document);
    if (expected == OK) {
        CHECK_OK(evidence_summarize(evidence, &summary, &err));
        evidence_print(&summary, &text);
        CHECK_OK(buffer_status(&text, &err));
        ck_assert_str_eq(text.data, line);
    } else {
        CHECK_FAILS(evidence_summarize(evidence, &summary, &err), expected, line);
    }
    buffer_done(&text);
    json_decref(evidence);
}

#define WHOLE                                                                                                          \
    "{\"budget\": 0.01, \"answer\": {\"met\": true, \"recipe_text\": \"int8; ffn -30 %\"}, \"data\": {\"rows\": 900,"  \
    " \"split\": [{\"name\": \"tuning\", \"rows\": 128}, {\"name\": \"final\", \"rows\": 500}]}, \"rows\":"            \
    " [{\"name\": \"original\", \"chosen\": false, \"loss\": null}, {\"recipe_text\": \"other\", \"chosen\": true,"    \
    " \"loss\": {\"rouge1\": \"unread\", \"mean\": {\"relative\": 0.0042, \"low\": -0.001, \"high\": 0.0091}}}]}"

START_TEST(summed_up) {
    check_line(WHOLE, OK, "\"int8; ffn -30 %\" loses 0.42 % [-0.10, 0.91], budget 1 %, on 500 rows");
    check_line("{}", OK, "a choice it does not name, loss not measured");
    check_line("{\"answer\": {\"met\": false, \"recipe_text\": \"\"}, \"data\": {\"rows\": 9}, \"budget\": null}", OK,
               "the model as it was, loss not measured, on 9 rows; the goal was not met");
    check_line("{\"rows\": [{\"chosen\": true, \"recipe_text\": \"a\\nb\", \"loss\": {\"mean\": {\"relative\": -0.5,"
               " \"low\": null}}}], \"data\": {\"split\": []}, \"budget\": 0}",
               OK, "\"a\\nb\" loses -50.00 %, budget 0 %");
}
END_TEST

START_TEST(wrong_types) {
    static const struct {
        const char *document, *message;
    } cases[] = {
        {"7", "hone.json, 'evidence' is no object"},
        {"[]", "hone.json, 'evidence' is no object"},
        {"{\"budget\": \"1 %\"}", "hone.json, 'evidence': 'budget' is \"1 %\", expected a number"},
        {"{\"answer\": []}", "'answer' is no object"},
        {"{\"answer\": {\"met\": 1}}", "'met' is 1, expected true or false"},
        {"{\"answer\": {\"recipe_text\": {}}}", "'recipe_text' is {}, expected a string"},
        {"{\"rows\": {}}", "'rows' is no list"},
        {"{\"rows\": [3]}", "'rows' holds something that is no object"},
        {"{\"rows\": [{\"chosen\": \"yes\"}]}", "'chosen' is \"yes\", expected true or false"},
        {"{\"rows\": [{\"chosen\": true, \"loss\": 0.1}]}", "'loss' is no object"},
        {"{\"rows\": [{\"chosen\": true, \"loss\": {\"mean\": [1]}}]}", "'mean' is no object"},
        {"{\"rows\": [{\"chosen\": true, \"loss\": {\"mean\": {\"high\": \"x\"}}}]}", "'high' is \"x\""},
        {"{\"data\": 1}", "'data' is no object"},
        {"{\"data\": {\"rows\": -4}}", "'rows' is -4, expected an integer from 0"},
        {"{\"data\": {\"split\": [{\"name\": 5}]}}", "'name' is 5, expected a string"},
        {"{\"data\": {\"split\": [{\"name\": \"final\", \"rows\": 1.5}]}}", "'rows' is 1.5"},
        {"{\"weights_sha256\": 12}", "'weights_sha256' is 12, expected a string"},
        {"{\"weights_sha256\": \"abc\"}", "'weights_sha256' is no SHA-256 of 64 lower-case digits"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        check_line(cases[i].document, ERR_FORMAT, cases[i].message);
}
END_TEST

typedef struct Case {
    Scratch scratch;
    char *model, *out;
} Case;

static Case case_make(void) {
    Case c = {.scratch = scratch_make()};
    Tiny tiny = tiny_make(&c.scratch.arena);
    c.model = tiny_write(&tiny, &c.scratch, "model", tiny_config);
    c.out = scratch_path(&c.scratch, "out");
    QuantizeOptions options = {.scheme = STORE_INT8};
    RewriteReport report;
    CHECK_OK(quantize_model(&c.scratch.arena, c.model, c.out, &options, &report, &err));
    return c;
}

// Verifies the folder with this evidence (and runtime) in its hone.json.
static VerifyReport verify_with(Case *c, const char *evidence, const char *runtime) {
    Arena *arena = &c->scratch.arena;
    char *path = path_join(arena, c->out, "hone.json", &err);
    json_t *read = NULL;
    CHECK_OK(json_read(arena, path, false, &read, &err));
    json_t *manifest = json_deep_copy(read);
    json_object_set_new(manifest, "evidence", json_loads(evidence, JSON_DECODE_ANY, NULL));
    json_object_set_new(manifest, "runtime", json_loads(runtime, JSON_DECODE_ANY, NULL));
    char *text = json_dumps(manifest, 0);
    CHECK_OK(file_replace(path, text, strlen(text), &err));
    free(text);
    json_decref(manifest);
    VerifyReport report;
    CHECK_OK(verify_model(arena, c->out, &(WorkMeter){0}, &report, &err));
    return report;
}

START_TEST(verified_with_the_weights) {
    Case c = case_make();
    VerifyReport report = verify_with(&c, "null", "null");
    ck_assert(report.problems.count == 0 && !report.evidence_read && !report.manifest.evidence);
    ck_assert(report.manifest.recipe && !report.manifest.runtime);
    report = verify_with(&c, WHOLE, "{\"kv_type\": \"int8\"}");
    ck_assert(report.problems.count == 0 && report.evidence_read && report.evidence.rows == 500);
    ck_assert(report.info->advice.kv_kind == KV_S8 && report.manifest.runtime);
    const char *sha256 = NULL;
    for (size_t i = 0; i < report.manifest.files.count; i++)
        if (strcmp(report.manifest.files.items[i].name, "model.safetensors") == 0)
            sha256 = report.manifest.files.items[i].sha256;
    ck_assert_ptr_nonnull(sha256);
    char evidence[128];
    snprintf(evidence, sizeof evidence, "{\"weights_sha256\": \"%s\"}", sha256);
    report = verify_with(&c, evidence, "null");
    ck_assert(report.problems.count == 0 && report.evidence_read);
    memset(strchr(evidence, ':') + 3, '0', 12);
    report = verify_with(&c, evidence, "null");
    ck_assert_uint_eq(report.problems.count, 1);
    ck_assert_msg(strstr(report.problems.texts[0],
                         "the evidence in hone.json is of other weights: of SHA-256 000000000000..., and that of "
                         "'model.safetensors' is "),
                  "%s", report.problems.texts[0]);
    report = verify_with(&c, "{\"budget\": [0.01]}", "null");
    ck_assert(report.problems.count == 1 && !report.evidence_read && report.manifest.evidence);
    ck_assert_msg(strstr(report.problems.texts[0], "'budget' is [0.01], expected a number"), "%s",
                  report.problems.texts[0]);
    scratch_done(&c.scratch);
}
END_TEST

TEST_MAIN("compress/evidence", summed_up, wrong_types, verified_with_the_weights)
