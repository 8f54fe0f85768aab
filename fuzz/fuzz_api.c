// SPDX-License-Identifier: Apache-2.0
// Fuzz target: requests of every route: "METHOD PATH", a newline, the body. What is accepted has to be inside the
// limits, and its answer, its stream and its errors have to be JSON whatever the generated text is.
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "serve/api_fields.h"
#include "serve/stops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool fine) {
    if (!fine)
        abort();
}

static void check_json(const char *text, size_t bytes) {
    Error err;
    Arena arena;
    arena_init(&arena, 0);
    json_t *value;
    check(json_parse(&arena, "answer", (Bytes){(const unsigned char *)text, bytes}, false, &value, &err) == OK);
    arena_done(&arena);
}

static void check_events(const Buffer *events) {
    const char *at = events->data ? events->data : "";
    while (*at) {
        const char *end = strstr(at, "\n\n");
        check(end && strncmp(at, "data: ", 6) == 0);
        at += 6;
        if (strncmp(at, "[DONE]", 6) != 0)
            check_json(at, (size_t)(end - at));
        at = end + 2;
    }
}

static void check_limits(const ApiCall *call) {
    const GenerationOptions *options = &call->options;
    check(call->prompt_count >= 1 && call->prompt_count <= API_MOST_PROMPTS);
    check(call->stop_count <= API_MOST_STOPS && call->priority >= 0 && call->priority <= 9);
    check(options->num_return_sequences >= 1 && options->num_return_sequences <= API_MOST_SEQUENCES);
    check(options->num_beams >= 1 && options->num_beams <= 8 && options->max_new_tokens >= -1);
    check(isfinite(options->temperature) && isfinite(options->length_penalty) && options->repetition_penalty > 0);
    for (size_t i = 0; i < call->prompt_count; i++) {
        const ApiPrompt *prompt = &call->prompts[i];
        if (prompt->text)
            check(utf8_valid_prefix(prompt->text, prompt->bytes) == prompt->bytes &&
                  !memchr(prompt->text, 0, prompt->bytes));
        for (size_t j = 0; j < prompt->count; j++)
            check(prompt->ids[j] >= 0);
    }
}

static void answer(const ApiCall *call) {
    static const int32_t ids[] = {0, 2147483647};
    const char *text = call->prompts[0].text ? call->prompts[0].text : "\xFF text";
    bool met;
    size_t bytes = stops_find(call->stops, call->stop_count, text, strlen(text), 0, true, &met);
    ApiSequence sequences[8];
    ApiResult results[API_MOST_PROMPTS];
    for (size_t i = 0; i < 8; i++)
        sequences[i] = (ApiSequence){text, bytes, ids, i % 3, NAN, met ? API_STOP_TEXT : API_LENGTH};
    for (size_t i = 0; i < API_MOST_PROMPTS; i++)
        results[i] = (ApiResult){.sequences = sequences, .sequence_count = (size_t)call->options.num_return_sequences};
    ApiMeta meta = {"id", "a \"model\"", 1};
    Buffer out = {0};
    api_answer(call, &meta, results, &out);
    check_json(out.data, out.bytes);
    buffer_clear(&out);
    api_stream_begin(call, &meta, 0, &out);
    api_stream_piece(call, &meta, 0, 1, text, bytes, 5, &out);
    api_stream_finish(call, &meta, 0, results, &out);
    api_stream_end(call, &meta, results, &out);
    check_events(&out);
    buffer_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    memory_init();
    char line[128], model[64];
    const uint8_t *newline = memchr(data, '\n', size < sizeof line ? size : sizeof line);
    if (!newline)
        return 0;
    size_t bytes = (size_t)(newline - data);
    memcpy(line, data, bytes);
    line[bytes] = '\0';
    char *path = strchr(line, ' ');
    if (!path)
        return 0;
    *path++ = '\0';
    bool known;
    const ApiRoute *route = api_route(line, path, model, sizeof model, &known);
    if (!route)
        return 0;
    Error err;
    Arena arena;
    arena_init(&arena, 256 << 20);
    ApiCall call;
    GenerationOptions own = generation_defaults();
    const char *param;
    Status status = api_read(&arena, route, (Bytes){newline + 1, size - bytes - 1}, &own, &call, &param, &err);
    if (status != OK) {
        Buffer out = {0};
        api_error(route, api_status(status), err.message, param, &out);
        check_json(out.data, out.bytes);
        buffer_done(&out);
    } else if (route->object && route->shape != API_TOKENIZE && route->shape != API_DETOKENIZE) {
        check_limits(&call);
        answer(&call);
    }
    arena_done(&arena);
    return 0;
}
