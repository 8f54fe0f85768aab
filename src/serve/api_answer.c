// SPDX-License-Identifier: Apache-2.0
// Whole answers, in the shape of each route.
#include <math.h>
#include <string.h>

#include "serve/api_fields.h"
#include "serve/api_writing.h"

static void add_text(const char *text, Buffer *out) {
    buffer_add_json(out, text, strlen(text));
}

void writing_text(const ApiSequence *sequence, Buffer *out) {
    buffer_add_json(out, sequence->text ? sequence->text : "", sequence->bytes);
}

void writing_head(const ApiCall *call, const ApiMeta *meta, const char *object, Buffer *out) {
    static const char *const prefixes[] = {
        [API_COMPLETION] = "cmpl-", [API_CHAT] = "chatcmpl-", [API_SUMMARIZE] = "summ-"};
    ApiShape shape = call->route->shape;
    buffer_format(out, "\"id\":\"%s%s\",\"object\":\"%s\",\"created\":%lld,\"model\":",
                  shape <= API_SUMMARIZE ? prefixes[shape] : "", meta->request_id, object, (long long)meta->created);
    add_text(meta->model, out);
}

void writing_usage(const ApiCall *call, const ApiResult *results, Buffer *out) {
    size_t source = 0, generated = 0;
    for (size_t i = 0; i < call->prompt_count; i++) {
        source += results[i].source_tokens;
        for (size_t j = 0; j < results[i].sequence_count; j++)
            generated += results[i].sequences[j].count;
    }
    buffer_format(out, "\"usage\":{\"prompt_tokens\":%zu,\"completion_tokens\":%zu,\"total_tokens\":%zu}", source,
                  generated, source + generated);
}

void writing_timings(const ApiResult *results, size_t count, Buffer *out) {
    ApiTimings most = {0};
    if (count && isnan(results[0].timings.total_ms))
        return;
    for (size_t i = 0; i < count; i++) {
        const ApiTimings *t = &results[i].timings;
        most.queue_ms = fmax(most.queue_ms, t->queue_ms);
        most.encode_ms = fmax(most.encode_ms, t->encode_ms);
        most.decode_ms = fmax(most.decode_ms, t->decode_ms);
        most.first_token_ms = fmax(most.first_token_ms, t->first_token_ms);
        most.total_ms = fmax(most.total_ms, t->total_ms);
    }
    buffer_format(out,
                  ",\"timings\":{\"queue_ms\":%.3f,\"encode_ms\":%.3f,\"decode_ms\":%.3f,\"first_token_ms\":%.3f,"
                  "\"total_ms\":%.3f}",
                  most.queue_ms, most.encode_ms, most.decode_ms, most.first_token_ms, most.total_ms);
}

const char *writing_finish(ApiShape shape, ApiFinish finish) {
    static const char *const theirs[] = {[API_STOP] = "eos_token",
                                         [API_LENGTH] = "length",
                                         [API_CANCELLED] = "cancelled",
                                         [API_STOP_TEXT] = "stop_sequence"};
    static const char *const ours[] = {
        [API_STOP] = "stop", [API_LENGTH] = "length", [API_CANCELLED] = "cancelled", [API_STOP_TEXT] = "stop"};
    return shape == API_TGI ? theirs[finish] : ours[finish];
}

static void add_finish(const ApiCall *call, const ApiSequence *sequence, Buffer *out) {
    buffer_format(out, "\"finish_reason\":\"%s\"", writing_finish(call->route->shape, sequence->finish));
}

// Over all sequences of all results, with the index that OpenAI's choices have.
typedef void AddSequence(const ApiCall *call, const ApiResult *result, const ApiSequence *sequence, size_t index,
                         Buffer *out);

static void add_each(const ApiCall *call, const ApiResult *results, AddSequence *add, Buffer *out) {
    size_t index = 0;
    for (size_t i = 0; i < call->prompt_count; i++) {
        for (size_t j = 0; j < results[i].sequence_count; j++) {
            if (index)
                buffer_add_char(out, ',');
            add(call, &results[i], &results[i].sequences[j], index++, out);
        }
    }
}

// Of models without a tokenizer, whose answers have no text.
static void add_ids(const ApiSequence *sequence, Buffer *out) {
    buffer_add_text(out, ",\"token_ids\":[");
    for (size_t i = 0; i < sequence->count; i++)
        buffer_format(out, i ? ",%d" : "%d", sequence->ids[i]);
    buffer_add_char(out, ']');
}

static void add_choice(const ApiCall *call, const ApiResult *result, const ApiSequence *sequence, size_t index,
                       Buffer *out) {
    (void)result;
    buffer_format(out, "{\"index\":%zu,", index);
    if (call->route->shape == API_CHAT) {
        buffer_add_text(out, "\"message\":{\"role\":\"assistant\",\"content\":");
        writing_text(sequence, out);
        buffer_add_char(out, '}');
    } else {
        buffer_add_text(out, "\"text\":");
        writing_text(sequence, out);
    }
    if (!sequence->text)
        add_ids(sequence, out);
    buffer_add_text(out, ",\"logprobs\":null,");
    add_finish(call, sequence, out);
    buffer_add_char(out, '}');
}

static void add_summary(const ApiCall *call, const ApiResult *result, const ApiSequence *sequence, size_t index,
                        Buffer *out) {
    buffer_format(out, "{\"index\":%zu,\"summary\":", index);
    writing_text(sequence, out);
    buffer_add_char(out, ',');
    add_finish(call, sequence, out);
    buffer_format(out, ",\"truncated\":%s,\"source_tokens\":%zu,\"chunks\":%zu}", result->truncated ? "true" : "false",
                  result->source_tokens, result->chunks);
}

static void add_summary_text(const ApiCall *call, const ApiResult *result, const ApiSequence *sequence, size_t index,
                             Buffer *out) {
    (void)call, (void)result, (void)index;
    buffer_add_text(out, "{\"summary_text\":");
    writing_text(sequence, out);
    buffer_add_char(out, '}');
}

static void add_plain_text(const ApiCall *call, const ApiResult *result, const ApiSequence *sequence, size_t index,
                           Buffer *out) {
    (void)call, (void)result, (void)index;
    writing_text(sequence, out);
}

static void add_tail(const ApiCall *call, const ApiResult *results, Buffer *out) {
    writing_usage(call, results, out);
    writing_timings(results, call->prompt_count, out);
}

static void answer_openai(const ApiCall *call, const ApiMeta *meta, const ApiResult *results, Buffer *out) {
    ApiShape shape = call->route->shape;
    const char *object = shape == API_CHAT ? "chat.completion" : shape == API_SUMMARIZE ? "summary" : "text_completion";
    buffer_add_char(out, '{');
    writing_head(call, meta, object, out);
    buffer_add_text(out, shape == API_SUMMARIZE ? ",\"summaries\":[" : ",\"choices\":[");
    add_each(call, results, shape == API_SUMMARIZE ? add_summary : add_choice, out);
    buffer_add_text(out, "],");
    add_tail(call, results, out);
    buffer_add_char(out, '}');
}

static void add_kserve_head(const ApiCall *call, const ApiMeta *meta, Buffer *out) {
    buffer_add_text(out, "{\"model_name\":");
    add_text(meta->model, out);
    buffer_add_text(out, ",\"model_version\":\"1\",\"id\":");
    add_text(call->id ? call->id : meta->request_id, out);
}

static void answer_infer(const ApiCall *call, const ApiMeta *meta, const ApiResult *results, Buffer *out) {
    size_t each = call->prompt_count ? results[0].sequence_count : 0;
    add_kserve_head(call, meta, out);
    buffer_add_text(out, ",\"outputs\":[{\"name\":\"text\",\"datatype\":\"BYTES\",\"shape\":");
    buffer_format(out, each > 1 ? "[%zu,%zu]" : "[%zu]", call->prompt_count, each);
    buffer_add_text(out, ",\"data\":[");
    add_each(call, results, add_plain_text, out);
    buffer_add_text(out, "]}],");
    add_tail(call, results, out);
    buffer_add_char(out, '}');
}

static void answer_kserve(const ApiCall *call, const ApiMeta *meta, const ApiResult *results, Buffer *out) {
    const ApiSequence *first = &results[0].sequences[0];
    add_kserve_head(call, meta, out);
    buffer_add_text(out, ",\"text_output\":");
    if (results[0].sequence_count > 1) {
        buffer_add_char(out, '[');
        add_each(call, results, add_plain_text, out);
        buffer_add_char(out, ']');
    } else
        writing_text(first, out);
    buffer_add_char(out, ',');
    add_finish(call, first, out);
    buffer_add_char(out, ',');
    add_tail(call, results, out);
    buffer_add_char(out, '}');
}

void writing_details(const ApiCall *call, const ApiSequence *sequence, Buffer *out) {
    buffer_add_char(out, '{');
    add_finish(call, sequence, out);
    buffer_format(out, ",\"generated_tokens\":%zu,\"seed\":", sequence->count);
    if (call->options.do_sample)
        buffer_format(out, "%lld", (long long)call->options.seed);
    else
        buffer_add_text(out, "null");
    buffer_add_text(out, ",\"prefill\":[],\"tokens\":[");
    for (size_t i = 0; i < sequence->count; i++)
        buffer_format(out, i ? ",{\"id\":%d}" : "{\"id\":%d}", sequence->ids[i]);
    buffer_add_text(out, "]}");
}

static void answer_tgi(const ApiCall *call, const ApiResult *results, Buffer *out) {
    const ApiSequence *first = &results[0].sequences[0];
    buffer_add_text(out, "{\"generated_text\":");
    writing_text(first, out);
    if (call->details) {
        buffer_add_text(out, ",\"details\":");
        writing_details(call, first, out);
    }
    buffer_add_char(out, ',');
    add_tail(call, results, out);
    buffer_add_char(out, '}');
}

void api_answer(const ApiCall *call, const ApiMeta *meta, const ApiResult *results, Buffer *out) {
    if (call->hugging_face) {
        buffer_add_char(out, '[');
        add_each(call, results, add_summary_text, out);
        buffer_add_char(out, ']');
        return;
    }
    switch (call->route->shape) {
    case API_COMPLETION:
    case API_CHAT:
    case API_SUMMARIZE:
        answer_openai(call, meta, results, out);
        break;
    case API_KSERVE_INFER:
        answer_infer(call, meta, results, out);
        break;
    case API_KSERVE_GENERATE:
        answer_kserve(call, meta, results, out);
        break;
    case API_TGI:
        answer_tgi(call, results, out);
        break;
    case API_TOKENIZE: // their own functions
    case API_DETOKENIZE:
    case API_PLAIN:
        break;
    }
}

void api_print_tokens(const int32_t *ids, size_t count, size_t positions, Buffer *out) {
    buffer_add_text(out, "{\"tokens\":[");
    for (size_t i = 0; i < count; i++)
        buffer_format(out, i ? ",%d" : "%d", ids[i]);
    buffer_format(out, "],\"count\":%zu,\"max_model_len\":%zu}", count, positions);
}

void api_print_text(const char *text, size_t bytes, Buffer *out) {
    static const char *const names[] = {"{\"text\":", ",\"prompt\":", ",\"content\":"}; // ours, vLLM's, llama.cpp's
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        buffer_add_text(out, names[i]);
        buffer_add_json(out, text, bytes);
    }
    buffer_add_char(out, '}');
}
