// SPDX-License-Identifier: Apache-2.0
// What requests become, and how answers, streams and errors look: by golden files, so that each can be read.
#include <math.h>

#include "serve/lines.h"

static GenerationOptions own_options(void) {
    GenerationOptions own = generation_defaults();
    own.num_beams = 4;
    own.max_length = 64;
    own.min_length = 8;
    own.no_repeat_ngram_size = 3;
    own.decoder_start_token_id = 2;
    return own;
}

static void tell_prompts(const ApiCall *call, Buffer *out) {
    for (size_t i = 0; i < call->prompt_count; i++) {
        const ApiPrompt *prompt = &call->prompts[i];
        buffer_add_text(out, "  source ");
        if (prompt->text)
            buffer_add_json(out, prompt->text, prompt->bytes);
        for (size_t j = 0; j < prompt->count; j++)
            buffer_format(out, j ? " %d" : "ids %d", prompt->ids[j]);
        buffer_add_char(out, '\n');
    }
}

static void tell_number(const char *name, double own, double now, Buffer *out) {
    if (own != now)
        buffer_format(out, " %s=%g", name, now);
}

// What differs from the model's own options.
static void tell_options(const GenerationOptions *now, Buffer *out) {
    GenerationOptions own = own_options();
#define TELL(member) tell_number(#member, (double)own.member, (double)now->member, out)
    TELL(max_new_tokens);
    TELL(min_new_tokens);
    TELL(max_length);
    TELL(min_length);
    TELL(num_beams);
    TELL(num_return_sequences);
    TELL(length_penalty);
    TELL(early_stopping);
    TELL(no_repeat_ngram_size);
    TELL(encoder_no_repeat_ngram_size);
    TELL(repetition_penalty);
    TELL(forced_bos_token_id);
    TELL(forced_eos_token_id);
    TELL(decoder_start_token_id);
    TELL(eos_token_count);
    TELL(bad_words.count);
    TELL(do_sample);
    TELL(temperature);
    TELL(top_p);
    TELL(top_k);
#undef TELL
    tell_number("seed", (double)(int64_t)own.seed, (double)(int64_t)now->seed, out);
}

static void tell_served(const ApiCall *call, Buffer *out) {
    static const char *const truncations[] = {"error", "end", "start", "chunk"};
    if (call->model)
        buffer_format(out, " model=%s", call->model);
    if (call->id)
        buffer_format(out, " id=%s", call->id);
    if (call->stream)
        buffer_format(out, " stream%s", call->include_usage ? "+usage" : "");
    if (call->hugging_face)
        buffer_add_text(out, " hugging-face");
    if (call->truncation != API_TRUNCATE_ERROR)
        buffer_format(out, " truncation=%s", truncations[call->truncation]);
    tell_number("most_source_tokens", 0, (double)call->most_source_tokens, out);
    tell_number("seed_said", 0, call->seed_said, out);
    tell_number("soft_lengths", 0, call->soft_lengths, out);
    tell_number("priority", 5, call->priority, out);
    if (call->timeout_said)
        buffer_format(out, " timeout=%llums", (unsigned long long)call->timeout_ms);
    tell_number("details", 0, call->details, out);
    tell_number("add_special", 1, call->add_special, out);
    tell_number("skip_special", 0, call->skip_special, out);
    if (call->cache_salt)
        buffer_format(out, " salt=%s", call->cache_salt);
    for (size_t i = 0; i < call->stop_count; i++) {
        buffer_add_text(out, " stop=");
        buffer_add_json(out, call->stops[i], strlen(call->stops[i]));
    }
}

static void tell_call(const char *method, const char *path, const char *body, Buffer *out) {
    Error err;
    Arena arena;
    arena_init(&arena, 64 << 20);
    char model[64];
    bool known;
    const ApiRoute *route = api_route(method, path, model, sizeof model, &known);
    if (!route) {
        buffer_format(out, "  %d\n", known ? 405 : 404);
        return;
    }
    ApiCall call;
    const char *param = NULL;
    GenerationOptions own = own_options();
    Status status =
        api_read(&arena, route, (Bytes){(const unsigned char *)body, strlen(body)}, &own, &call, &param, &err);
    if (status == OK) {
        buffer_format(out, "  %s", route->handle);
        if (*model)
            buffer_format(out, " {%s}", model);
        tell_served(&call, out);
        tell_options(&call.options, out);
        buffer_add_char(out, '\n');
        tell_prompts(&call, out);
    } else
        buffer_format(out, "  %d %s: %s\n", api_status(status), param ? param : "-", err.message);
    arena_done(&arena);
}

START_TEST(test_calls) {
    golden_requests("calls.txt", tell_call);
}
END_TEST

// Fixed results: sequences of two sources.
static const int32_t ids[] = {11, 12, 13, 2};
static const ApiSequence sequences[2][2] = {
    {{"A \"first\" answer", 16, ids, 4, -0.5, API_STOP}, {"Another", 7, ids, 2, -0.75, API_LENGTH}},
    {{"The second\nsource", 17, ids, 3, NAN, API_STOP_TEXT}, {"", 0, ids, 0, NAN, API_CANCELLED}},
};

static void tell_stream(const ApiCall *call, const ApiMeta *meta, const ApiResult *results, Buffer *out) {
    Buffer events = {0};
    size_t index = 0;
    for (size_t i = 0; i < call->prompt_count; i++) {
        for (size_t j = 0; j < results[i].sequence_count; j++, index++) {
            const ApiSequence *sequence = &results[i].sequences[j];
            api_stream_begin(call, meta, index, &events);
            if (sequence->bytes)
                api_stream_piece(call, meta, index, 1, sequence->text, 3, ids[0], &events);
            if (sequence->bytes > 3)
                api_stream_piece(call, meta, index, 2, sequence->text + 3, sequence->bytes - 3, ids[1], &events);
            api_stream_finish(call, meta, index, &results[i], &events);
        }
    }
    api_stream_end(call, meta, results, &events);
    api_stream_error(call->route, 503, "the server is draining", &events);
    for (size_t i = 0; i < events.bytes; i++) {
        if ((!i || events.data[i - 1] == '\n') && events.data[i] != '\n')
            buffer_add_text(out, "  ");
        if (!(events.data[i] == '\n' && i && events.data[i - 1] == '\n'))
            buffer_add_char(out, events.data[i]);
    }
    buffer_done(&events);
}

// Every event of a stream, and every answer, is JSON.
static void check_json(const char *text, size_t bytes) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    json_t *value;
    if (!(bytes == 6 && memcmp(text, "[DONE]", 6) == 0))
        CHECK_OK(json_parse(&arena, "answer", (Bytes){(const unsigned char *)text, bytes}, false, &value, &err));
    arena_done(&arena);
}

static void check_lines(const char *text) {
    for (const char *line = text; *line;) {
        size_t bytes = strcspn(line, "\n");
        size_t head = strncmp(line, "  data: ", 8) == 0 ? 8 : 2;
        check_json(line + head, bytes - head);
        line += bytes + (line[bytes] != '\0');
    }
}

static void tell_answer(const char *method, const char *path, const char *body, Buffer *out) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    char model[64];
    bool known;
    const ApiRoute *route = api_route(method, path, model, sizeof model, &known);
    ck_assert_msg(route, "%s %s", method, path);
    ApiCall call;
    GenerationOptions own = own_options();
    CHECK_OK(api_read(&arena, route, (Bytes){(const unsigned char *)body, strlen(body)}, &own, &call, NULL, &err));
    ck_assert(call.prompt_count <= 2 && call.options.num_return_sequences <= 2);
    ApiResult results[2];
    for (size_t i = 0; i < 2; i++)
        results[i] = (ApiResult){.sequences = sequences[i],
                                 .sequence_count = (size_t)call.options.num_return_sequences,
                                 .source_tokens = 20 + i,
                                 .chunks = 1 + i,
                                 .truncated = i,
                                 .timings = {0.25, 1 + (double)i, 20.5, 2.125, 22 - (double)i}};
    ApiMeta meta = {"0f3a", "tiny", 1700000000};
    size_t start = out->bytes;
    if (call.stream)
        tell_stream(&call, &meta, results, out);
    else {
        buffer_add_text(out, "  ");
        api_answer(&call, &meta, results, out);
        buffer_add_text(out, "\n  ");
        api_error(route, 400, "the request: \"this\" is wrong", "n", out);
        buffer_add_char(out, '\n');
    }
    CHECK_OK(buffer_status(out, &err));
    check_lines(out->data + start);
    arena_done(&arena);
}

START_TEST(test_answers) {
    golden_requests("answers.txt", tell_answer);
}
END_TEST

START_TEST(test_small_answers) {
    Buffer out = {0};
    static const int32_t some[] = {0, 5, 2};
    api_print_tokens(some, 3, 64, &out);
    ck_assert_str_eq(out.data, "{\"tokens\":[0,5,2],\"count\":3,\"max_model_len\":64}");
    buffer_clear(&out);
    api_print_text("a\"b", 3, &out);
    ck_assert_str_eq(out.data, "{\"text\":\"a\\\"b\",\"prompt\":\"a\\\"b\",\"content\":\"a\\\"b\"}");
    buffer_clear(&out);
    api_error(NULL, 404, "there is no such path", NULL, &out);
    ck_assert_str_eq(out.data, "{\"error\":{\"message\":\"there is no such path\",\"type\":\"not_found_error\","
                               "\"param\":null,\"code\":404}}");
    buffer_done(&out);
}
END_TEST

static void tell_line(const char *what, Buffer *text, Buffer *out) {
    check_json(text->data, text->bytes);
    buffer_format(out, "# %s\n%s\n", what, text->data);
    buffer_clear(text);
}

START_TEST(test_plain_answers) {
    Arena arena;
    arena_init(&arena, 0);
    Buffer text = {0}, out = {0};
    ApiModel models[] = {{"tiny", 1700000000, 64, 100, true}, {"a \"b\"", 1700000001, 128, 200, false}};
    api_print_models(models, 2, &text);
    tell_line("models", &text, &out);
    api_print_models(models, 0, &text);
    tell_line("no models", &text, &out);
    api_print_model(&models[1], &text);
    tell_line("model", &text, &out);
    api_print_server("1.2.3", &text);
    tell_line("server", &text, &out);
    api_print_metadata(&models[0], &text);
    tell_line("metadata", &text, &out);
    api_print_live(true, &text);
    tell_line("live", &text, &out);
    api_print_ready(false, &text);
    tell_line("ready", &text, &out);
    api_print_model_ready(&models[1], &text);
    tell_line("model_ready", &text, &out);
    api_print_info(&models[0], "1.2.3", 16, 8 << 20, &text);
    tell_line("info", &text, &out);
    api_print_cancelled("0f3a", true, &text);
    tell_line("cancel", &text, &out);
    golden_compare(&arena, serve_golden(&arena, "plain.txt"), &out);
    buffer_done(&text);
    buffer_done(&out);
    arena_done(&arena);
}
END_TEST

START_TEST(test_fit) {
    ApiCall call = {.options = generation_defaults(), .soft_lengths = true};
    call.options.max_new_tokens = 128;
    call.options.min_new_tokens = 32;
    api_fit(&call, 1024);
    ck_assert_int_eq(call.options.max_new_tokens, 128);
    api_fit(&call, 24);
    ck_assert_int_eq(call.options.max_new_tokens, 23);
    ck_assert_int_eq(call.options.min_new_tokens, 23);
}
END_TEST

TEST_MAIN("api", test_calls, test_answers, test_small_answers, test_plain_answers, test_fit)
