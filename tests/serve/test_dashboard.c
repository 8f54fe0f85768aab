// SPDX-License-Identifier: Apache-2.0
// The dashboard's JSON, its files, the model card, and what is said of a bottleneck.
#include "serve/dashboard.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/json.h"
#include "check.h"
#include "serve/bottleneck.h"

static Error err;
static Arena arena;

static json_t *parse(Buffer *text) {
    json_t *value;
    CHECK_OK(buffer_status(text, &err));
    CHECK_OK(json_parse(&arena, "body", (Bytes){(unsigned char *)text->data, text->bytes}, false, &value, &err));
    ck_assert_msg(!memchr(text->data, '\n', text->bytes), "an event is one line");
    buffer_done(text);
    return value;
}

// The member at a path of names and indices: "models.0.name".
static const json_t *at(const json_t *value, const char *path) {
    char part[64];
    for (size_t bytes; *path; path += bytes + (path[bytes] == '.')) {
        bytes = strcspn(path, ".");
        snprintf(part, sizeof part, "%.*s", (int)bytes, path);
        value = json_is_array(value) ? json_array_get(value, strtoul(part, NULL, 10)) : json_object_get(value, part);
    }
    return value;
}

static const char *text_at(const json_t *value, const char *path) {
    const json_t *found = at(value, path);
    ck_assert_msg(json_is_string(found), "%s is no text", path);
    return json_string_value(found);
}

// A server with one model that has answered a few requests.
typedef struct Stand {
    Metrics *server, *metrics;
    ServeHistory *history;
    DashboardModel model;
    Dashboard dashboard;
} Stand;

static const double start = 1.8e9;

static void stand_init(Stand *stand, const char *name) {
    arena_init(&arena, 0);
    CHECK_OK(metrics_new(NULL, &stand->server, &err));
    CHECK_OK(metrics_new(name, &stand->metrics, &err));
    CHECK_OK(history_new(NULL, name, start, NULL, &stand->history, &err));
    stand->model = (DashboardModel){
        .name = name, .metrics = stand->metrics, .history = stand->history, .most_requests = 16, .most_queued = 256};
    stand->dashboard =
        (Dashboard){.server = stand->server, .models = &stand->model, .model_count = 1, .state = "serving"};
    metrics_set(stand->server, METRIC_START_TIME, 0, start);
}

static void stand_done(Stand *stand) {
    history_free(stand->history);
    metrics_free(stand->metrics);
    metrics_free(stand->server);
    arena_done(&arena);
}

START_TEST(test_state) {
    Stand stand;
    stand_init(&stand, "bart");
    static const ProfileRow rows[] = {{"linear", "gemm_s8", 1.5, 300}, {"embed", NULL, 0.25, 7}};
    static const DashboardSetting settings[] = {{"port", "8080", true}, {"threads", "2", false}};
    stand.model.profile = rows;
    stand.model.profile_count = 2;
    stand.model.card = "{\"family\":\"bart\"}";
    stand.dashboard.settings = settings;
    stand.dashboard.setting_count = 2;
    history_sample(stand.history, stand.metrics, start);
    metrics_add(stand.metrics, METRIC_REQUESTS_FINISHED, ENDED_LENGTH, 3);
    metrics_add(stand.metrics, METRIC_REQUESTS_REJECTED, REJECTED_TOO_LONG, 2);
    history_sample(stand.history, stand.metrics, start + 1);
    Buffer text = {0};
    dashboard_state(&stand.dashboard, start + 60, &text);
    json_t *state = parse(&text);
    ck_assert_str_eq(text_at(state, "hone"), HONE_VERSION);
    ck_assert_str_eq(text_at(state, "state"), "serving");
    ck_assert(json_number_value(at(state, "server.uptime_s")) == 60);
    ck_assert_str_eq(text_at(state, "models.0.name"), "bart");
    ck_assert_str_eq(text_at(state, "models.0.card.family"), "bart");
    ck_assert_str_eq(text_at(state, "models.0.bottleneck.kind"), "clients");
    ck_assert(json_number_value(at(state, "models.0.now.requests_per_s")) == 3);
    ck_assert(json_is_null(at(state, "models.0.now.token_p50_s")));
    ck_assert(json_number_value(at(state, "models.0.totals.finished.length")) == 3);
    ck_assert(json_number_value(at(state, "models.0.totals.rejected.too_long")) == 2);
    ck_assert(json_number_value(at(state, "models.0.limits.requests")) == 16);
    ck_assert(json_is_null(at(state, "models.0.limits.queued_tokens")));
    ck_assert_str_eq(text_at(state, "models.0.profile.0.kernel"), "gemm_s8");
    ck_assert_str_eq(text_at(state, "models.0.profile.1.kernel"), "");
    ck_assert_str_eq(text_at(state, "settings.0.name"), "port");
    ck_assert(json_is_true(at(state, "settings.0.chosen")) && json_is_false(at(state, "settings.1.chosen")));
    stand_done(&stand);
}
END_TEST

START_TEST(test_before_anything_happened) {
    Stand stand;
    stand_init(&stand, "bart");
    Buffer text = {0};
    dashboard_event(&stand.dashboard, start, &text);
    json_t *event = parse(&text);
    ck_assert(json_is_null(at(event, "models.0.now")));
    ck_assert_str_eq(text_at(event, "models.0.bottleneck.kind"), "unknown");
    ck_assert_ptr_null(at(event, "models.0.card"));
    stand.dashboard.model_count = 0; // still loading
    stand.dashboard.state = "loading";
    dashboard_state(&stand.dashboard, start, &text);
    ck_assert(json_array_size(at(parse(&text), "models")) == 0);
    CHECK_FAILS(dashboard_history(&stand.dashboard, NULL, NULL, &text, &err), ERR_USAGE, "no model '' is served");
    stand_done(&stand);
}
END_TEST

START_TEST(test_texts_are_escaped) {
    Stand stand;
    stand_init(&stand, "</script>\"\n\xff");
    static const DashboardSetting settings[] = {{"name", "\"},{\"", false}};
    stand.dashboard.settings = settings;
    stand.dashboard.setting_count = 1;
    Buffer text = {0};
    dashboard_state(&stand.dashboard, start, &text);
    json_t *state = parse(&text);
    ck_assert_str_eq(text_at(state, "models.0.name"), "</script>\"\n\xef\xbf\xbd");
    ck_assert_str_eq(text_at(state, "settings.0.value"), "\"},{\"");
    ck_assert(json_array_size(at(state, "settings")) == 1);
    stand_done(&stand);
}
END_TEST

START_TEST(test_history_of_a_model) {
    Stand stand;
    stand_init(&stand, "bart");
    Buffer text = {0};
    CHECK_OK(dashboard_history(&stand.dashboard, "bart", "24h", &text, &err));
    ck_assert(json_integer_value(at(parse(&text), "step_s")) == 60);
    CHECK_OK(dashboard_history(&stand.dashboard, NULL, NULL, &text, &err));
    ck_assert_str_eq(text_at(parse(&text), "span"), "15m");
    CHECK_FAILS(dashboard_history(&stand.dashboard, "other", NULL, &text, &err), ERR_USAGE, "no model 'other'");
    CHECK_FAILS(dashboard_history(&stand.dashboard, NULL, "1h", &text, &err), ERR_USAGE,
                "'span' is '1h', expected 15m or 24h");
    stand_done(&stand);
}
END_TEST

START_TEST(test_files_of_the_page) {
    const DashboardAsset *page = dashboard_asset("/");
    ck_assert_ptr_nonnull(page);
    ck_assert_str_eq(page->content_type, "text/html; charset=utf-8");
    ck_assert(page->content.size > 1000 && memcmp(page->content.data, "<!doctype html>", 15) == 0);
    ck_assert_ptr_null(dashboard_asset("/dashboard/none.js"));
    ck_assert_ptr_null(dashboard_asset(""));
    // whatever the page names is there, and nothing of it runs in the page itself
    char *text = memcpy(calloc(page->content.size + 1, 1), page->content.data, page->content.size);
    static const char *const names[] = {" src=\"", " href=\"/dashboard"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        for (const char *p = text; (p = strstr(p, names[i])); p++) {
            const char *from = strchr(p, '/');
            char path[80];
            snprintf(path, sizeof path, "%.*s", (int)strcspn(from, "\""), from);
            const DashboardAsset *asset = dashboard_asset(path);
            ck_assert_msg(asset && asset->content.size && asset->etag[0] == '"', "%s is missing", path);
        }
    ck_assert_ptr_null(strstr(text, "<style"));
    ck_assert_ptr_null(strstr(text, " style="));
    ck_assert_ptr_null(strstr(text, " onclick="));
    ck_assert_ptr_null(strstr(text, "https://"));
    ck_assert_ptr_null(strstr(text, "<script>"));
    free(text);
    ck_assert_str_eq(dashboard_headers[0].name, "Content-Security-Policy");
    ck_assert_ptr_null(strstr(dashboard_headers[0].value, "unsafe"));
}
END_TEST

// A folder with a hone.json of this text (NULL: without); the card that comes of it.
static json_t *card_of(const char *manifest) {
    char folder[] = "/tmp/hone-card-XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/hone.json", folder);
    if (manifest)
        CHECK_OK(file_replace(path, manifest, strlen(manifest), &err));
    ModelInfo info = {
        .path = folder, .folder = folder, .family = "bart", .parameters = 6199040, .weight_bytes = 24840000};
    Buffer text = {0};
    CHECK_OK(dashboard_card(&info, &text, &err));
    unlink(path);
    rmdir(folder);
    return parse(&text);
}

START_TEST(test_card) {
    arena_init(&arena, 0);
    json_t *card = card_of(NULL);
    ck_assert_str_eq(text_at(card, "family"), "bart");
    ck_assert(json_real_value(at(card, "weights_mb")) == 24.84);
    ck_assert(json_is_null(at(card, "evidence")) && json_is_null(at(card, "problem")));

    Bytes golden;
    char *path = arena_format(&arena, &err, "%s/tests/golden/compress/evidence.json", getenv("HONE_SOURCE"));
    CHECK_OK(file_map(&arena, path, &golden, &err));
    char *whole = arena_format(&arena, &err, "{\"hone\":\"0.1.0\",\"recipe\":{},\"evidence\":%.*s}", (int)golden.size,
                               (const char *)golden.data);
    card = card_of(whole);
    ck_assert_str_eq(text_at(card, "evidence.recipe"), "int8; int4 fc2; ffn -30 %; head screen");
    ck_assert(json_is_true(at(card, "evidence.met")));
    ck_assert(json_real_value(at(card, "evidence.original.p50_ms")) == 4.885);
    ck_assert(json_real_value(at(card, "evidence.chosen.weights_mb")) == 5.98);
    ck_assert(json_array_size(at(card, "evidence.quality")) == 3);
    ck_assert_str_eq(text_at(card, "evidence.quality.1.metric"), "rouge2");
    ck_assert(json_real_value(at(card, "evidence.quality.1.loss.relative")) == 0.00735);
    ck_assert(json_real_value(at(card, "evidence.loss.low")) == 0.002515);
    arena_done(&arena);
}
END_TEST

START_TEST(test_card_of_a_damaged_manifest) {
    arena_init(&arena, 0);
    json_t *card = card_of("{\"hone\": ");
    ck_assert_str_eq(text_at(card, "family"), "bart");
    ck_assert_ptr_nonnull(strstr(text_at(card, "problem"), "hone.json: not valid JSON"));
    ck_assert_ptr_null(strstr(text_at(card, "problem"), "/tmp")); // where it lies is not the page's to tell
    static const char *const odd[] = {
        "[]",
        "{\"evidence\":[1]}",
        "{\"evidence\":{\"answer\":7,\"rows\":{},\"metrics\":\"x\",\"data\":[],\"budget\":\"much\"}}",
        "{\"evidence\":{\"metrics\":[1,null,\"rouge1\"],\"rows\":[1,{\"name\":\"original\",\"quality\":3}]}}",
        "{\"evidence\":{\"rows\":[{\"chosen\":true,\"latency_ms\":[],\"loss\":{\"mean\":\"x\"}}]}}",
        "{\"recipe\":\"</script>\",\"evidence\":null}",
    };
    for (size_t i = 0; i < ARRAY_COUNT(odd); i++)
        ck_assert_str_eq(text_at(card_of(odd[i]), "family"), "bart");
    arena_done(&arena);
}
END_TEST

START_TEST(test_card_without_memory) {
    ModelInfo info = {.path = "/nowhere", .folder = "/nowhere", .family = "bart"};
    fault_arm(FAULT_ALLOCATION, UINT64_MAX);
    Buffer text = {0};
    CHECK_OK(dashboard_card(&info, &text, &err));
    buffer_done(&text);
    uint64_t allocations = fault_seen(FAULT_ALLOCATION);
    ck_assert(allocations > 3);
    for (uint64_t nth = 1; nth <= allocations; nth++) {
        fault_arm(FAULT_ALLOCATION, nth);
        if (dashboard_card(&info, &text, &err) != OK) // some lacks leave a card with less on it
            ck_assert(err.status == ERR_MEMORY);
        fault_arm(FAULT_ALLOCATION, 0);
        buffer_done(&text);
        text = (Buffer){0};
    }
}
END_TEST

static const BottleneckFigures busy = {.requests_per_s = 10,
                                       .running_requests = 8,
                                       .most_requests = 8,
                                       .queue_mean_s = 0.25,
                                       .rows_per_step = 7.9,
                                       .encode_share = 0.2,
                                       .decode_share = 0.6,
                                       .head_share = 0.1,
                                       .schedule_share = 0.05,
                                       .kv_used_share = 0.4};

static void check_bottleneck(BottleneckFigures figures, BottleneckKind kind, const char *seen, const char *advice) {
    BottleneckKind found = bottleneck_find(&figures);
    ck_assert_msg(found == kind, "%s, expected %s", bottleneck_word(found), bottleneck_word(kind));
    Buffer sentence = {0}, words = {0};
    bottleneck_print(found, &figures, &sentence, &words);
    ck_assert_str_eq(sentence.data, seen);
    ck_assert_msg(strstr(words.bytes ? words.data : "", advice) != NULL, "advice '%s' lacks '%s'", words.data, advice);
    buffer_done(&sentence);
    buffer_done(&words);
}

START_TEST(test_bottlenecks) {
    BottleneckFigures f = {NAN, NAN, NAN, NAN, NAN, 8, NAN, NAN, NAN, NAN, NAN, NAN};
    check_bottleneck(f, BOTTLENECK_UNKNOWN, "The server has just started; there is nothing to judge by yet.", "");
    f = (BottleneckFigures){.most_requests = 8, .queue_mean_s = NAN, .rows_per_step = NAN};
    check_bottleneck(f, BOTTLENECK_IDLE, "No requests in the last ten seconds.", "ready");
    f.requests_per_s = 0.2;
    f.decode_share = 0.004;
    check_bottleneck(f, BOTTLENECK_CLIENT,
                     "The engine works less than 1 % of the time and nothing waits: clients ask for no more.",
                     "more requests at once");
    f = busy;
    f.decode_share = 0.2;
    check_bottleneck(f, BOTTLENECK_CLIENT,
                     "The engine works 55 % of the time and nothing waits: clients ask for no more.", "hone optimize");
    f = busy;
    f.queued_requests = 12;
    check_bottleneck(f, BOTTLENECK_QUEUE,
                     "12 requests wait, for 250 ms on average, while 8 run, the most that the engine may take.",
                     "--max-batch-size");
    f.kv_used_share = 0.97;
    f.rejected_per_s = 2.25;
    check_bottleneck(
        f, BOTTLENECK_KV,
        "12 requests wait, for 250 ms on average, because 97 % of the K/V pages are in use. 2.2 requests a "
        "second are turned away.",
        "--kv-type int8");
    check_bottleneck(busy, BOTTLENECK_WEIGHTS,
                     "Decoding reads all its weights for 7.9 rows a step: the memory's speed limits it, not the "
                     "arithmetic.",
                     "Send more requests at once");
    f = busy;
    f.rows_per_step = 40;
    f.queued_requests = 1;
    f.queue_mean_s = 1.5;
    check_bottleneck(f, BOTTLENECK_ROWS,
                     "Decoding has 40 rows a step, enough to keep the arithmetic busy: the processor is the limit.",
                     "Add cores or servers");
    f.encode_share = 0.65;
    f.decode_share = 0.2;
    check_bottleneck(f, BOTTLENECK_ENCODER,
                     "Encoding sources takes 65 % of the engine's time; 1 request waits, for 1.5 s on average.",
                     "encoder cache");
    f = busy;
    f.head_share = 0.5;
    f.decode_share = 0.3;
    check_bottleneck(f, BOTTLENECK_HEAD, "Scoring the vocabulary takes 48 % of the engine's time.", "--lm-head-screen");
    f = busy;
    f.schedule_share = 0.5;
    f.decode_share = 0.2;
    f.rejected_per_s = 0.01;
    check_bottleneck(f, BOTTLENECK_SCHEDULE,
                     "Work between the steps takes 50 % of the engine's time. Now and then a request is turned away.",
                     "Fewer beams");
}
END_TEST

TEST_MAIN("serve/dashboard", test_state, test_before_anything_happened, test_texts_are_escaped, test_history_of_a_model,
          test_files_of_the_page, test_card, test_card_of_a_damaged_manifest, test_card_without_memory,
          test_bottlenecks)
