// SPDX-License-Identifier: Apache-2.0
// `hone serve` from outside: what it answers, who it answers, and how it begins and ends.
#include "serve/served.h"

#include <sys/stat.h>

static const char *const nothing[] = {NULL};

// A dialogue of the kind the demo model knows.
#define DIALOGUE                                                                                                       \
    "Anna: Hi Tom, can we meet on Thursday?\\nTom: Thursday is fine. At noon?\\nAnna: Noon is good, at the library."

static json_t *json_of(const Reply *reply) {
    json_t *value = NULL;
    Error err;
    CHECK_OK(json_parse(&served_arena, "the answer", reply->body, false, &value, &err));
    return value;
}

static const char *text_at(const json_t *value, const char *list, const char *member) {
    const char *text = json_string_value(json_object_get(json_array_get(json_object_get(value, list), 0), member));
    ck_assert_ptr_nonnull(text);
    return text;
}

// The texts of all events, one after another.
static const char *join_deltas(const Reply *reply) {
    Buffer joined = {0};
    Error err;
    const char *at = reply->text;
    while ((at = strstr(at, "data: {"))) {
        const char *end = strstr(at, "\n\n");
        ck_assert_ptr_nonnull(end);
        Bytes event_text = {(const unsigned char *)at + 6, (size_t)(end - at - 6)};
        json_t *event = NULL;
        CHECK_OK(json_parse(&served_arena, "event", event_text, false, &event, &err));
        const json_t *choice = json_array_get(json_object_get(event, "choices"), 0);
        const char *text = json_string_value(json_object_get(choice, "text"));
        buffer_add_text(&joined, text ? text : "");
        at = end;
    }
    const char *copy = arena_copy_text(&served_arena, joined.data ? joined.data : "", joined.bytes, &err);
    buffer_done(&joined);
    return copy;
}

START_TEST(test_shapes_agree) {
    Served served = served_start(served_demo_model(), nothing);
    Reply one = served_post(&served, "/v1/completions", "{\"prompt\":\"" DIALOGUE "\"}");
    ck_assert_int_eq(one.status, 200);
    const char *text = text_at(json_of(&one), "choices", "text");
    ck_assert_uint_gt(strlen(text), 10);

    Reply two = served_post(&served, "/v1/summarize", "{\"input\":\"" DIALOGUE "\"}");
    ck_assert_str_eq(text_at(json_of(&two), "summaries", "summary"), text);

    Reply turns =
        served_post(&served, "/v1/summarize",
                    "{\"input\":{\"turns\":[{\"speaker\":\"Anna\",\"text\":\"Hi Tom, can we meet on Thursday?\"},"
                    "{\"speaker\":\"Tom\",\"text\":\"Thursday is fine. At noon?\"},"
                    "{\"speaker\":\"Anna\",\"text\":\"Noon is good, at the library.\"}]}}");
    ck_assert_str_eq(text_at(json_of(&turns), "summaries", "summary"), text);

    Reply chat = served_post(&served, "/v1/chat/completions",
                             "{\"messages\":[{\"role\":\"user\",\"content\":\"" DIALOGUE "\"}]}");
    const json_t *message = json_object_get(json_array_get(json_object_get(json_of(&chat), "choices"), 0), "message");
    ck_assert_str_eq(json_string_value(json_object_get(message, "content")), text);

    Reply face = served_post(&served, "/v1/summarize", "{\"inputs\":\"" DIALOGUE "\",\"parameters\":{}}");
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(json_of(&face), 0), "summary_text")), text);

    Reply tgi = served_post(&served, "/generate", "{\"inputs\":\"" DIALOGUE "\"}");
    ck_assert_str_eq(json_string_value(json_object_get(json_of(&tgi), "generated_text")), text);

    Reply kserve = served_post(
        &served, "/v2/models/model/infer",
        "{\"inputs\":[{\"name\":\"text\",\"shape\":[1],\"datatype\":\"BYTES\",\"data\":[\"" DIALOGUE "\"]}]}");
    const json_t *output = json_array_get(json_object_get(json_of(&kserve), "outputs"), 0);
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(output, "data"), 0)), text);

    Reply stream = served_post(&served, "/v1/completions", "{\"prompt\":\"" DIALOGUE "\",\"stream\":true}");
    ck_assert_int_eq(stream.status, 200);
    ck_assert_str_eq(join_deltas(&stream), text);
    ck_assert_ptr_nonnull(strstr(stream.text, "data: [DONE]"));
    ck_assert_int_eq(served_stop(&served), 0);
}
END_TEST

START_TEST(test_beams_and_several_prompts) {
    Served served = served_start(served_demo_model(), nothing);
    Reply beams = served_post(&served, "/v1/completions",
                              "{\"prompt\":[\"" DIALOGUE "\",\"A: Hi.\\nB: Hello.\"],\"num_beams\":4,\"n\":2}");
    ck_assert_int_eq(beams.status, 200);
    ck_assert_uint_eq(json_array_size(json_object_get(json_of(&beams), "choices")), 4);
    Reply stream =
        served_post(&served, "/v1/completions", "{\"prompt\":\"" DIALOGUE "\",\"num_beams\":4,\"stream\":true}");
    Reply whole = served_post(&served, "/v1/completions", "{\"prompt\":\"" DIALOGUE "\",\"num_beams\":4}");
    ck_assert_str_eq(join_deltas(&stream), text_at(json_of(&whole), "choices", "text"));
    Reply stop = served_post(&served, "/v1/completions", "{\"prompt\":\"" DIALOGUE "\",\"stop\":\" \"}");
    const char *cut = text_at(json_of(&stop), "choices", "text");
    ck_assert_ptr_null(strchr(cut, ' '));
    // What would come behind a stop is not generated.
    Reply early = served_post(&served, "/v1/completions",
                              "{\"prompt\":\"" DIALOGUE "\",\"stop\":\" \",\"min_tokens\":500,\"max_tokens\":500}");
    ck_assert_int_eq(early.status, 200);
    ck_assert_str_eq(text_at(json_of(&early), "choices", "text"), cut);
    const json_t *usage = json_object_get(json_of(&early), "usage");
    ck_assert_int_lt(json_integer_value(json_object_get(usage, "completion_tokens")), 500);
    ck_assert_int_eq(served_stop(&served), 0);
}
END_TEST

// Sampling without a seed is another answer each time, with one the same.
START_TEST(test_samples) {
    Served served = served_start(served_demo_model(), nothing);
    static const char plain[] = "{\"prompt\":\"" DIALOGUE "\",\"temperature\":2.0,\"max_tokens\":20}";
    static const char seeded[] = "{\"prompt\":\"" DIALOGUE "\",\"temperature\":2.0,\"max_tokens\":20,\"seed\":5}";
    const char *texts[4];
    for (int i = 0; i < 4; i++) {
        Reply reply = served_post(&served, "/v1/completions", i < 2 ? plain : seeded);
        texts[i] = text_at(json_of(&reply), "choices", "text");
    }
    ck_assert_str_ne(texts[0], texts[1]);
    ck_assert_str_eq(texts[2], texts[3]);
    ck_assert_int_eq(served_stop(&served), 0);
}
END_TEST

static void check_refusal(const Served *served, const char *method, const char *path, const char *headers,
                          const char *body, int status, const char *text) {
    Reply reply = served_ask(served, method, path, headers, body);
    ck_assert_msg(reply.status == status, "%s %s: %d, expected %d: %s", method, path, reply.status, status, reply.text);
    ck_assert_msg(strstr(reply.text, text) != NULL, "%s %s: '%s' lacks '%s'", method, path, reply.text, text);
}

START_TEST(test_refusals_are_sentences) {
    Served served = served_start(served_demo_model(), nothing);
    check_refusal(&served, "GET", "/nowhere", NULL, NULL, 404, "nothing is served at this path");
    check_refusal(&served, "GET", "/v1/completions", NULL, NULL, 405, "GET is not served at this path");
    check_refusal(&served, "POST", "/v1/completions", NULL, "{\"prompt\":\"a\",\"model\":\"other\"}", 404,
                  "no model 'other' is served here");
    check_refusal(&served, "POST", "/v2/models/other/infer", NULL,
                  "{\"inputs\":[{\"name\":\"text\",\"shape\":[1],"
                  "\"datatype\":\"BYTES\",\"data\":[\"x\"]}]}",
                  404, "no model 'other' is served here");
    check_refusal(&served, "POST", "/v1/completions", NULL, "{\"prompt\":1}", 400, "prompt");
    check_refusal(&served, "POST", "/v1/completions", NULL, "{\"prompt\":\"a\",\"max_tokens\":\"many\"}", 400,
                  "max_tokens");
    check_refusal(&served, "POST", "/v1/completions", NULL, "{\"prompt\":\"a\"", 400, "error");
    check_refusal(&served, "POST", "/v1/completions", NULL, "{\"prompt\":[[1,2,999999]]}", 400, "999999");
    check_refusal(&served, "POST", "/v1/completions", "Origin: http://elsewhere.example\r\n", "{\"prompt\":\"a\"}", 403,
                  "pages of this origin may not ask here");
    check_refusal(&served, "POST", "/v1/requests/nobody/cancel", NULL, "", 404, "nobody");
    Reply id = served_ask(&served, "GET", "/v1/models", "X-Request-Id: mine-7\r\n", NULL);
    ck_assert_ptr_nonnull(strstr(id.head, "X-Request-Id: mine-7\r\n"));
    Reply bad_id = served_ask(&served, "GET", "/v1/models", "X-Request-Id: a b\r\n", NULL);
    ck_assert_ptr_null(strstr(bad_id.head, "a b"));
    ck_assert_int_eq(served_stop(&served), 0);
}
END_TEST

// SHA-256 of "sesame".
static const char keys_text[] = "# name, digest of the key, limits\n"
                                "team d0c04f4b1951e4aeaaec8223ed2039e542f3aae805a6fa7f6d794e5afff5d272\n";

START_TEST(test_keys) {
    char path[] = "/tmp/hone-keys-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_eq(write(fd, keys_text, strlen(keys_text)), (ssize_t)strlen(keys_text));
    close(fd);
    Served served = served_start(served_demo_model(), (const char *[]){"--api-keys", path, NULL});
    check_refusal(&served, "GET", "/v1/models", NULL, NULL, 401, "an API key is needed");
    check_refusal(&served, "GET", "/v1/models", "Authorization: Bearer wrong\r\n", NULL, 401,
                  "the API key is not known here");
    check_refusal(&served, "GET", "/metrics", NULL, NULL, 401, "an API key is needed");
    Reply ready = served_ask(&served, "GET", "/v2/health/ready", NULL, NULL);
    ck_assert_int_eq(ready.status, 200);
    Reply known = served_ask(&served, "GET", "/v1/models", "Authorization: Bearer sesame\r\n", NULL);
    ck_assert_int_eq(known.status, 200);
    known = served_ask(&served, "GET", "/v1/models", "X-Api-Key: sesame\r\n", NULL);
    ck_assert_int_eq(known.status, 200);

    // Another list: the old key goes, the new one may ask once a minute.
    FILE *file = fopen(path, "w");
    fprintf(file, "other 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae requests-per-minute=1\n");
    fclose(file);
    kill(served.pid, SIGHUP);
    uint64_t begun = clock_ns();
    do {
        known = served_ask(&served, "GET", "/v1/models", "X-Api-Key: foo\r\n", NULL);
    } while (known.status != 200 && clock_ns() - begun < 60000000000u);
    ck_assert_int_eq(known.status, 200);
    check_refusal(&served, "GET", "/v1/models", "X-Api-Key: sesame\r\n", NULL, 401, "not known here");
    Reply first = served_ask(&served, "POST", "/v1/completions", "X-Api-Key: foo\r\n", "{\"prompt\":\"Hi.\"}");
    ck_assert_int_eq(first.status, 200);
    Reply second = served_ask(&served, "POST", "/v1/completions", "X-Api-Key: foo\r\n", "{\"prompt\":\"Hi.\"}");
    ck_assert_int_eq(second.status, 429);
    ck_assert_ptr_nonnull(strstr(second.head, "Retry-After: "));
    unlink(path);
    ck_assert_int_eq(served_stop(&served), 0);
}
END_TEST

// One that takes a while: several beams, as many tokens as there may be.
#define LONG_REQUEST "{\"prompt\":\"" DIALOGUE "\",\"num_beams\":8,\"min_tokens\":400,\"max_tokens\":400}"

START_TEST(test_drain) {
    Served served = served_start(served_demo_model(), (const char *[]){"--drain-grace", "1", NULL});
    int slow = served_connect(&served);
    served_send(slow, "POST", "/v1/completions", "Connection: close\r\n", LONG_REQUEST);
    served_await(&served, "hone_requests_running", 1);
    kill(served.pid, SIGTERM);
    usleep(100000);
    Reply ready = served_ask(&served, "GET", "/v2/health/ready", NULL, NULL);
    ck_assert_int_eq(ready.status, 503);
    Reply late = served_post(&served, "/v1/completions", "{\"prompt\":\"a\"}");
    ck_assert_int_eq(late.status, 503);
    ck_assert_ptr_nonnull(strstr(late.head, "Retry-After: "));
    Reply whole = served_reply(slow);
    ck_assert_int_eq(whole.status, 200);
    ck_assert_ptr_nonnull(strstr(whole.text, "\"finish_reason\":\"length\""));
    ck_assert_int_eq(served_exit(&served), 0);
    unlink(served.log);
}
END_TEST

START_TEST(test_a_second_signal_ends_it) {
    Served served = served_start(served_demo_model(), nothing);
    int slow = served_connect(&served);
    served_send(slow, "POST", "/v1/completions", "Connection: close\r\n", LONG_REQUEST);
    served_await(&served, "hone_requests_running", 1);
    kill(served.pid, SIGTERM);
    usleep(100000);
    kill(served.pid, SIGTERM);
    int code = served_exit(&served);
    ck_assert_msg(code == 1 || code == 0, "exit %d", code); // 0: a fast machine had answered by then
    close(slow);
    unlink(served.log);
}
END_TEST

START_TEST(test_reload_under_load) {
    Served served = served_start(served_demo_model(), nothing);
    int slow = served_connect(&served);
    served_send(slow, "POST", "/v1/completions", "Connection: close\r\n", LONG_REQUEST);
    served_await(&served, "hone_requests_running", 1);
    kill(served.pid, SIGHUP);
    served_await(&served, "hone_model_reloads_total{model_name=\"model\",result=\"done\"}", 1);
    Reply quick = served_post(&served, "/v1/completions", "{\"prompt\":\"" DIALOGUE "\"}");
    ck_assert_int_eq(quick.status, 200);
    Reply whole = served_reply(slow);
    ck_assert_int_eq(whole.status, 200);
    ck_assert_int_eq(served_stop(&served), 0);
}
END_TEST

// Clients that leave, streaming or waiting, and requests that are cancelled by their id: nothing of them is left.
START_TEST(test_departures) {
    Served served = served_start(served_demo_model(), (const char *[]){"--max-batch-size", "4", NULL});
    int fds[20];
    for (int i = 0; i < 20; i++) {
        char body[512];
        snprintf(body, sizeof body,
                 "{\"prompt\":\"" DIALOGUE " %d\",\"min_tokens\":400,\"max_tokens\":400,\"stream\":%s}", i,
                 i % 2 ? "true" : "false");
        fds[i] = served_connect(&served);
        served_send(fds[i], "POST", "/v1/completions", NULL, body);
    }
    served_await(&served, "hone_requests_running", 4);
    for (int i = 0; i < 20; i++)
        close(fds[i]);
    served_await(&served, "hone_requests_running", 0);
    served_await(&served, "hone_requests_queued", 0);
    ck_assert_double_eq(served_metric(&served, "hone_kv_pages_used{model_name=\"model\",kind=\"self\"}"), 0);
    ck_assert_double_eq(served_metric(&served, "hone_kv_pages_used{model_name=\"model\",kind=\"cross\"}"), 0);

    int slow = served_connect(&served);
    served_send(slow, "POST", "/v1/completions", "Connection: close\r\nX-Request-Id: to-cancel\r\n",
                "{\"prompt\":\"" DIALOGUE "\",\"min_tokens\":500,\"max_tokens\":500}");
    served_await(&served, "hone_requests_running", 1);
    Reply cancelled = served_ask(&served, "POST", "/v1/requests/to-cancel/cancel", NULL, "");
    Reply rest = served_reply(slow);
    ck_assert_int_eq(rest.status, 200);
    if (cancelled.status == 200) // else it was faster than we
        ck_assert_ptr_nonnull(strstr(rest.text, "\"finish_reason\":"));
    ck_assert_int_eq(served_stop(&served), 0);
}
END_TEST

START_TEST(test_limits) {
    Served served =
        served_start(served_demo_model(), (const char *[]){"--max-batch-size", "1", "--max-queue", "2", NULL});
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = served_connect(&served);
        served_send(fds[i], "POST", "/v1/completions", "Connection: close\r\n", LONG_REQUEST);
        served_await(&served, "hone_requests_running", 1);
    }
    served_await(&served, "hone_requests_queued", 2);
    Reply full = served_post(&served, "/v1/completions", "{\"prompt\":\"a\"}");
    ck_assert_int_eq(full.status, 503);
    ck_assert_ptr_nonnull(strstr(full.head, "Retry-After: "));
    ck_assert_ptr_nonnull(strstr(full.text, "the queue is full"));
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    served_await(&served, "hone_requests_running", 0);
    Reply late = served_post(&served, "/v1/completions",
                             "{\"prompt\":\"" DIALOGUE "\",\"min_tokens\":500,\"max_tokens\":500,\"timeout\":0.02}");
    ck_assert_int_eq(late.status, 504);
    ck_assert_int_eq(served_stop(&served), 0);
}
END_TEST

START_TEST(test_tokens_and_information) {
    Served served = served_start(served_demo_model(), nothing);
    Reply tokens = served_post(&served, "/tokenize", "{\"text\":\"Hello there.\"}");
    ck_assert_int_eq(tokens.status, 200);
    char *ids = json_dumps(json_object_get(json_of(&tokens), "tokens"), JSON_COMPACT);
    char body[256];
    snprintf(body, sizeof body, "{\"tokens\":%s}", ids);
    memory_free(ids);
    Reply text = served_post(&served, "/detokenize", body);
    ck_assert_int_eq(text.status, 200);
    ck_assert_ptr_nonnull(strstr(text.text, "Hello there."));
    static const char *const paths[] = {
        "/v1/models", "/v1/models/model", "/v2",           "/v2/models/model", "/v2/models/model/ready",
        "/info",      "/health",          "/openapi.json", "/dashboard/state", "/dashboard/history?span=15m"};
    for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
        Reply reply = served_ask(&served, "GET", paths[i], NULL, NULL);
        ck_assert_msg(reply.status == 200, "%s: %d", paths[i], reply.status);
        json_of(&reply);
    }
    Reply page = served_ask(&served, "GET", "/", NULL, NULL);
    ck_assert_int_eq(page.status, 200);
    ck_assert_ptr_nonnull(strstr(page.head, "text/html"));
    ck_assert_ptr_nonnull(strstr(page.head, "Content-Security-Policy"));
    ck_assert_int_eq(served_stop(&served), 0);
}
END_TEST

TEST_MAIN("serve/serve", test_shapes_agree, test_beams_and_several_prompts, test_samples, test_refusals_are_sentences,
          test_keys, test_drain, test_a_second_signal_ends_it, test_reload_under_load, test_departures, test_limits,
          test_tokens_and_information)
