// SPDX-License-Identifier: Apache-2.0
// Answers of routes without a body.
#include <string.h>

#include "serve/api.h"

static void add_text(const char *text, Buffer *out) {
    buffer_add_json(out, text, strlen(text));
}

static const char *truth(bool value) {
    return value ? "true" : "false";
}

void api_print_model(const ApiModel *model, Buffer *out) {
    buffer_add_text(out, "{\"id\":");
    add_text(model->name, out);
    buffer_format(out, ",\"object\":\"model\",\"created\":%lld,\"owned_by\":\"hone\",\"max_model_len\":%zu}",
                  (long long)model->created, model->positions);
}

void api_print_models(const ApiModel *models, size_t count, Buffer *out) {
    buffer_add_text(out, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(out, i ? "," : "");
        api_print_model(&models[i], out);
    }
    buffer_add_text(out, "]}");
}

void api_print_server(const char *version, Buffer *out) {
    buffer_add_text(out, "{\"name\":\"hone\",\"version\":");
    add_text(version, out);
    buffer_add_text(out, ",\"extensions\":[\"generate\"]}");
}

void api_print_metadata(const ApiModel *model, Buffer *out) {
    static const char tensors[] = ",\"versions\":[\"1\"],\"platform\":\"hone\","
                                  "\"inputs\":[{\"name\":\"text\",\"datatype\":\"BYTES\",\"shape\":[-1]},"
                                  "{\"name\":\"input_ids\",\"datatype\":\"INT64\",\"shape\":[-1,-1]},"
                                  "{\"name\":\"attention_mask\",\"datatype\":\"INT64\",\"shape\":[-1,-1]}],"
                                  "\"outputs\":[{\"name\":\"text\",\"datatype\":\"BYTES\",\"shape\":[-1]}]}";
    buffer_add_text(out, "{\"name\":");
    add_text(model->name, out);
    buffer_add_text(out, tensors);
}

void api_print_live(bool live, Buffer *out) {
    buffer_format(out, "{\"live\":%s}", truth(live));
}

// The specification calls it `live` here too; KServe's own server says `ready`.
void api_print_ready(bool ready, Buffer *out) {
    buffer_format(out, "{\"live\":%s,\"ready\":%s}", truth(ready), truth(ready));
}

void api_print_model_ready(const ApiModel *model, Buffer *out) {
    buffer_add_text(out, "{\"name\":");
    add_text(model->name, out);
    buffer_format(out, ",\"ready\":%s}", truth(model->ready));
}

void api_print_info(const ApiModel *model, const char *version, size_t most_requests, size_t most_body_bytes,
                    Buffer *out) {
    buffer_add_text(out, "{\"model_id\":");
    add_text(model->name, out);
    buffer_add_text(out, ",\"model_pipeline_tag\":\"text2text-generation\",\"router\":\"hone\",\"version\":");
    add_text(version, out);
    buffer_format(out,
                  ",\"max_concurrent_requests\":%zu,\"max_client_batch_size\":%d,\"max_best_of\":1,"
                  "\"max_stop_sequences\":%d,\"max_input_tokens\":%zu,\"max_total_tokens\":%zu,"
                  "\"payload_limit\":%zu}",
                  most_requests, API_MOST_PROMPTS, API_MOST_STOPS, model->positions, 2 * model->positions,
                  most_body_bytes);
}

void api_print_cancelled(const char *request_id, bool found, Buffer *out) {
    buffer_add_text(out, "{\"id\":");
    add_text(request_id, out);
    buffer_format(out, ",\"cancelled\":%s}", truth(found));
}
