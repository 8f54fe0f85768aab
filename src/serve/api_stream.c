// SPDX-License-Identifier: Apache-2.0
// Server-sent events, in the shape of each route. Chat's first event of a choice says who speaks; the last of each says
// why it ended; OpenAI's streams end with [DONE], the others with their last event.
#include <string.h>

#include "serve/api_writing.h"

static void event_begin(Buffer *out) {
    buffer_add_text(out, "data: {");
}

static void event_end(Buffer *out) {
    buffer_add_text(out, "}\n\n");
}

static bool is_openai(const ApiCall *call) {
    return call->route->shape <= API_SUMMARIZE;
}

static const char *chunk_object(const ApiCall *call) {
    return call->route->shape == API_CHAT        ? "chat.completion.chunk"
           : call->route->shape == API_SUMMARIZE ? "summary.chunk"
                                                 : "text_completion";
}

// An event's head up to its one choice, whose own members follow.
static void choice_begin(const ApiCall *call, const ApiMeta *meta, size_t index, Buffer *out) {
    event_begin(out);
    writing_head(call, meta, chunk_object(call), out);
    if (call->route->shape == API_SUMMARIZE)
        buffer_format(out, ",\"index\":%zu,", index);
    else
        buffer_format(out, ",\"choices\":[{\"index\":%zu,", index);
}

static void choice_end(const ApiCall *call, const char *finish, Buffer *out) {
    bool summary = call->route->shape == API_SUMMARIZE;
    if (!summary)
        buffer_add_text(out, ",\"logprobs\":null");
    buffer_format(out, finish ? ",\"finish_reason\":\"%s\"" : ",\"finish_reason\":null", finish);
    if (!summary)
        buffer_add_text(out, "}]");
    if (call->include_usage)
        buffer_add_text(out, ",\"usage\":null");
}

static void add_delta(const ApiCall *call, const char *text, size_t bytes, Buffer *out) {
    bool chat = call->route->shape == API_CHAT;
    buffer_add_text(out, chat                                  ? "\"delta\":{\"content\":"
                         : call->route->shape == API_SUMMARIZE ? "\"delta\":"
                                                               : "\"text\":");
    buffer_add_json(out, text, bytes);
    if (chat)
        buffer_add_char(out, '}');
}

void api_stream_begin(const ApiCall *call, const ApiMeta *meta, size_t index, Buffer *out) {
    if (call->route->shape != API_CHAT)
        return;
    choice_begin(call, meta, index, out);
    buffer_add_text(out, "\"delta\":{\"role\":\"assistant\",\"content\":\"\"}");
    choice_end(call, NULL, out);
    event_end(out);
}

static void add_kserve_head(const ApiMeta *meta, Buffer *out) {
    buffer_add_text(out, "\"model_name\":");
    buffer_add_json(out, meta->model, strlen(meta->model));
    buffer_add_text(out, ",\"model_version\":\"1\",\"text_output\":");
}

static void tgi_token(size_t position, int32_t token, const char *text, size_t bytes, bool special, Buffer *out) {
    buffer_format(out, "\"index\":%zu,\"token\":{\"id\":%d,\"text\":", position, token);
    buffer_add_json(out, text, bytes);
    buffer_format(out, ",\"logprob\":null,\"special\":%s}", special ? "true" : "false");
}

void api_stream_piece(const ApiCall *call, const ApiMeta *meta, size_t index, size_t position, const char *text,
                      size_t bytes, int32_t token, Buffer *out) {
    if (is_openai(call)) {
        choice_begin(call, meta, index, out);
        add_delta(call, text, bytes, out);
        choice_end(call, NULL, out);
    } else {
        event_begin(out);
        if (call->route->shape == API_TGI) {
            tgi_token(position, token, text, bytes, false, out);
            buffer_add_text(out, ",\"generated_text\":null,\"details\":null");
        } else {
            add_kserve_head(meta, out);
            buffer_add_json(out, text, bytes);
        }
    }
    event_end(out);
}

static void finish_openai(const ApiCall *call, const ApiMeta *meta, size_t index, const ApiResult *result,
                          const ApiSequence *sequence, Buffer *out) {
    choice_begin(call, meta, index, out);
    if (call->route->shape == API_CHAT)
        buffer_add_text(out, "\"delta\":{}");
    else
        add_delta(call, "", 0, out);
    choice_end(call, writing_finish(call->route->shape, sequence->finish), out);
    if (call->route->shape == API_SUMMARIZE)
        buffer_format(out, ",\"truncated\":%s,\"source_tokens\":%zu,\"chunks\":%zu",
                      result->truncated ? "true" : "false", result->source_tokens, result->chunks);
    writing_timings(result, 1, out);
    event_end(out);
}

void api_stream_finish(const ApiCall *call, const ApiMeta *meta, size_t index, const ApiResult *result, Buffer *out) {
    const ApiSequence *sequence = &result->sequences[index % result->sequence_count];
    if (is_openai(call)) {
        finish_openai(call, meta, index, result, sequence, out);
        return;
    }
    event_begin(out);
    if (call->route->shape == API_TGI) {
        tgi_token(sequence->count, sequence->count ? sequence->ids[sequence->count - 1] : -1, "", 0, true, out);
        buffer_add_text(out, ",\"generated_text\":");
        writing_text(sequence, out);
        buffer_add_text(out, ",\"details\":");
        writing_details(call, sequence, out);
    } else {
        add_kserve_head(meta, out);
        buffer_format(out, "\"\",\"finish_reason\":\"%s\"", writing_finish(call->route->shape, sequence->finish));
    }
    buffer_add_char(out, ',');
    writing_usage(call, result, out);
    writing_timings(result, 1, out);
    event_end(out);
}

void api_stream_end(const ApiCall *call, const ApiMeta *meta, const ApiResult *results, Buffer *out) {
    if (!is_openai(call))
        return;
    if (call->include_usage) {
        event_begin(out);
        writing_head(call, meta, chunk_object(call), out);
        if (call->route->shape != API_SUMMARIZE)
            buffer_add_text(out, ",\"choices\":[]");
        buffer_add_char(out, ',');
        writing_usage(call, results, out);
        writing_timings(results, call->prompt_count, out);
        event_end(out);
    }
    buffer_add_text(out, "data: [DONE]\n\n");
}
