// SPDX-License-Identifier: Apache-2.0
// The front door: opset, the message around the graph, and the two files.
#include "format/onnx/write.h"

#include <string.h>

#include "base/own.h"
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
        return FAIL(err, ERR_UNSUPPORTED, "%s is in opset %lld and later, the model is to be in opset %lld", need.what,
                    (long long)need.opset, (long long)asked);
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

// The message, whose tensors lie outside when it would be too large with them.
static Status message_make(OnnxWriter *writer, const Graph *graph, const char *const *output_names, const char *data,
                           const OnnxWriteSettings *settings, Error *err) {
    size_t most = settings->external_bytes ? settings->external_bytes : EXTERNAL_BYTES;
    Buffer empty = {.limit_bytes = SKELETON_MOST_BYTES};
    writer->message.text = empty;
    TRY(model_put(writer, graph, output_names, settings, err));
    if (message_bytes(&writer->message) <= (most < INT32_MAX ? most : INT32_MAX))
        return OK;
    message_done(&writer->message);
    writer->message.text = empty;
    writer->domain_count = 0;
    writer->location = path_name(data);
    TRY(model_put(writer, graph, output_names, settings, err));
    if (message_bytes(&writer->message) > INT32_MAX)
        return FAIL(err, ERR_LIMIT,
                    "the model has %llu bytes without its large tensors, a protocol buffer less than 2 GiB",
                    (unsigned long long)message_bytes(&writer->message));
    return OK;
}

// The data first: a model that is there has its data.
static Status files_commit(FileWriter *model, FileWriter *data, const char *data_path, Error *err) {
    Status status = data ? file_commit(data, err) : OK;
    if (status != OK) {
        file_discard(model);
        return status;
    }
    status = file_commit(model, err);
    if (status != OK && data)
        file_remove(data_path);
    return status;
}

static Status files_write(const OnnxWriter *writer, const char *path, const char *data_path, Error *err) {
    FileWriter *model = NULL, *data = NULL;
    bool external = writer->placed_count > 0;
    if (external && path_kind(path) == PATH_OTHER)
        return FAIL(err, ERR_USAGE, "'%s' is no file that external data could lie beside", path);
    TRY(file_create(path, &model, err));
    Status status = external ? file_create(data_path, &data, err) : OK;
    if (status == OK && external)
        status = write_data(writer, data, err);
    if (status == OK)
        status = message_write(&writer->message, model, err);
    if (status == OK)
        return files_commit(model, data, data_path, err);
    file_discard(model);
    file_discard(data);
    return status;
}

Status onnx_write(const char *path, const Graph *graph, const char *const *output_names,
                  const OnnxWriteSettings *settings, Error *err) {
    Arena arena;
    arena_init(&arena, 0);
    OnnxWriter writer = {.arena = &arena};
    Status status = graph_verify(graph, err);
    if (status == OK)
        status = opset_choose(graph, settings->opset, &writer.opset, err);
    const char *data = status == OK ? arena_format(&arena, err, "%s_data", path) : NULL;
    if (status == OK)
        status = data ? message_make(&writer, graph, output_names, data, settings, err) : err->status;
    if (status == OK)
        status = files_write(&writer, path, data, err);
    if (status == OK && settings->written)
        *settings->written = (OnnxWritten){writer.opset, message_bytes(&writer.message), writer.data_bytes};
    message_done(&writer.message);
    arena_done(&arena);
    return status;
}
