// SPDX-License-Identifier: Apache-2.0
// The front door: opset, the message around the graph, and whether its tensors lie outside.
#include "format/onnx/write.h"

#include <string.h>

#include "format/onnx/skeleton.h"
#include "format/onnx/writer.h"

// Field numbers.
enum {
    MODEL_IR_VERSION = 1,
    MODEL_PRODUCER_NAME = 2,
    MODEL_PRODUCER_VERSION = 3,
    MODEL_GRAPH = 7,
    MODEL_OPSET_IMPORT = 8,
    OPSET_DOMAIN = 1,
    OPSET_VERSION = 2
};

enum { EXTERNAL_BYTES = 1 << 30 };

static int64_t ir_version_of(int64_t opset) {
    return opset <= 18 ? 8 : opset <= 20 ? 9 : opset <= 22 ? 10 : opset <= 23 ? 11 : opset <= 24 ? 12 : 13;
}

Status onnx_lowest_opset(const Graph *graph, int64_t *ret_opset, Error *err) {
    WriteNeed need = {.opset = ONNX_WRITE_FIRST};
    TRY(write_need(graph, &need, err));
    *ret_opset = need.opset;
    return OK;
}

static Status opset_choose(const Graph *graph, int64_t asked, int64_t *ret_opset, Error *err) {
    WriteNeed need = {.opset = ONNX_WRITE_FIRST};
    if (asked && (asked < ONNX_WRITE_FIRST || asked > ONNX_WRITE_LAST))
        return FAIL(err, ERR_USAGE, "opset %lld, those from %d to %d are written", (long long)asked, ONNX_WRITE_FIRST,
                    ONNX_WRITE_LAST);
    TRY(write_need(graph, &need, err));
    if (asked && need.opset > asked)
        return FAIL(err, ERR_UNSUPPORTED,
                    "%s is in opset %lld and later, the model is to be in opset %lld: a later one can hold it",
                    need.what, (long long)need.opset, (long long)asked);
    *ret_opset = asked ? asked : need.opset;
    return OK;
}

static void opset_put(Message *message, const char *domain, int64_t version) {
    MessageMark mark = message_begin(message);
    message_text(message, OPSET_DOMAIN, domain);
    message_int(message, OPSET_VERSION, version);
    message_end(message, mark, MODEL_OPSET_IMPORT);
}

static Status model_put(OnnxWriter *writer, const Graph *graph, const char *const *output_names,
                        const OnnxWriteSettings *settings, Error *err) {
    Message *message = &writer->message;
    message_int(message, MODEL_IR_VERSION, settings->ir_version ? settings->ir_version : ir_version_of(writer->opset));
    message_text(message, MODEL_PRODUCER_NAME, "hone");
    if (settings->producer_version)
        message_text(message, MODEL_PRODUCER_VERSION, settings->producer_version);
    WriteScope scope = {.writer = writer, .graph = graph};
    TRY(write_scope_open(&scope, output_names, NULL, 0, 0, err));
    MessageMark mark = message_begin(message);
    TRY(write_graph(&scope, err));
    message_end(message, mark, MODEL_GRAPH);
    opset_put(message, "", writer->opset);
    for (size_t i = 0; i < writer->domain_count; i++)
        opset_put(message, writer->domains[i], 1);
    if (message->text.failed == ERR_LIMIT)
        return FAIL(err, ERR_LIMIT, "the model without its tensors has more than %d bytes", SKELETON_MOST_BYTES);
    return buffer_status(&message->text, err);
}

typedef struct Writing {
    Arena *arena;
    const OnnxWriteSettings *settings;
    OnnxPart *parts;
    OnnxWriter *writers; // [count]
    size_t count;
} Writing;

static Status opsets_choose(Writing *w, Error *err) {
    for (size_t i = 0; i < w->count; i++) {
        w->writers[i].arena = w->arena;
        TRY(graph_verify(w->parts[i].graph, err));
        TRY(opset_choose(w->parts[i].graph, w->settings->opset, &w->writers[i].opset, err));
    }
    return OK;
}

// The messages, their large tensors in `data` where that is not NULL. Made again, tensors stay where they are in it.
static Status messages_make(Writing *w, OnnxData *data, Error *err) {
    for (size_t i = 0; i < w->count; i++) {
        OnnxWriter *writer = &w->writers[i];
        message_done(&writer->message);
        writer->message.text.limit_bytes = SKELETON_MOST_BYTES;
        writer->domain_count = 0;
        writer->shared_first = writer->shared_last = NULL;
        writer->shared_begun = false;
        names_clear(&writer->names);
        names_clear(&writer->shared);
        writer->data = data;
        TRY(model_put(writer, w->parts[i].graph, w->parts[i].output_names, w->settings, err));
    }
    return OK;
}

static bool external_wanted(const Writing *w) {
    const OnnxWriteSettings *settings = w->settings;
    size_t most = settings->external_bytes ? settings->external_bytes : EXTERNAL_BYTES;
    if (settings->external != ONNX_EXTERNAL_AUTO)
        return settings->external == ONNX_EXTERNAL_ALWAYS;
    for (size_t i = 0; i < w->count; i++)
        if (message_bytes(&w->writers[i].message) > (most < INT32_MAX ? most : INT32_MAX))
            return true;
    return w->count > 1 && !settings->external_bytes;
}

static Status sizes_check(const Writing *w, Error *err) {
    for (size_t i = 0; i < w->count; i++) {
        uint64_t bytes = message_bytes(&w->writers[i].message);
        if (bytes > INT32_MAX)
            return FAIL(err, ERR_LIMIT, "the model has %llu bytes without %s, a protocol buffer less than 2 GiB",
                        (unsigned long long)bytes,
                        w->settings->external == ONNX_EXTERNAL_NEVER ? "external data" : "its large tensors");
    }
    return OK;
}

static Status models_write(Writing *w, const char *data_path, Error *err) {
    OnnxData data = {.location = path_name(data_path), .several = w->count > 1};
    OnnxPlace place = {0};
    TRY(opsets_choose(w, err));
    TRY(messages_make(w, NULL, err));
    bool external = external_wanted(w);
    if (external)
        TRY(messages_make(w, &data, err));
    TRY(sizes_check(w, err));
    external = data.placed_count > 0;
    if (external) {
        TRY(write_place(w->arena, w->parts, w->count, &data, data_path, &place, err));
        data.location = path_name(place.data_path);
        if (strcmp(place.data_path, data_path) != 0)
            TRY(messages_make(w, &data, err));
    }
    TRY(write_files(w->writers, w->parts, w->count, external ? &data : NULL, &place, err));
    if (external)
        write_place_clear(&place);
    for (size_t i = 0; i < w->count; i++)
        w->parts[i].written = (OnnxWritten){w->writers[i].opset, message_bytes(&w->writers[i].message), data.bytes};
    return OK;
}

Status onnx_write_parts(OnnxPart *parts, size_t count, const char *data_path, const OnnxWriteSettings *settings,
                        Error *err) {
    Arena arena;
    arena_init(&arena, 0);
    Writing w = {.arena = &arena, .settings = settings, .parts = parts, .count = count};
    w.writers = arena_array(&arena, count, sizeof *w.writers, err);
    if (w.writers && !data_path)
        data_path = arena_format(&arena, err, "%s_data", parts[0].path);
    Status status = w.writers && data_path ? models_write(&w, data_path, err) : err->status;
    for (size_t i = 0; w.writers && i < count; i++)
        message_done(&w.writers[i].message);
    arena_done(&arena);
    return status;
}

Status onnx_write(const char *path, const Graph *graph, const char *const *output_names,
                  const OnnxWriteSettings *settings, Error *err) {
    OnnxPart part = {.path = path, .graph = graph, .output_names = output_names};
    TRY(onnx_write_parts(&part, 1, NULL, settings, err));
    if (settings->written)
        *settings->written = part.written;
    return OK;
}
