// SPDX-License-Identifier: Apache-2.0
// hone run: one pass of a model's graph over tensors given as files, outputs as .npy.
//
// The graph `forward` of an encoder-decoder takes padded [batch, length] ids; they are packed for the session, masked
// source positions as rows that attend but are not attended to, and the results are put back in their places.
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "cli/run_onnx.h"
#include "cli/runtime.h"
#include "exec/session.h"
#include "format/npy/npy.h"
#include "format/onnx/onnx.h"
#include "format/tensor_file.h"
#include "model/model.h"

typedef struct Settings {
    RuntimeFlags runtime;
    OrtFlags ort;
    TextList inputs;
    const char *out, *graph, *engine, *level;
} Settings;

static const Option options[] = {
    {"in", 0, "NAME=FILE", "an input: .npy or an ONNX TensorProto; NAME may be a position", OPTION_LIST,
     offsetof(Settings, inputs)},
    {"out", 0, "DIR", "folder for the outputs, NAME.npy", OPTION_TEXT, offsetof(Settings, out)},
    {"graph", 0, "NAME", "which graph (default: forward)", OPTION_TEXT, offsetof(Settings, graph)},
    {"engine", 0, "NAME", "what runs an ONNX file: hone (the default) or ort, ONNX Runtime", OPTION_TEXT,
     offsetof(Settings, engine), .choices = "hone|ort"},
    {"level", 0, "N",
     "which passes of hone opt an ONNX file goes through first in hone: 0 none (the default), 1, 2, 99", OPTION_TEXT,
     offsetof(Settings, level), .choices = "0|1|2|99"},
    {.kind = OPTION_TABLE, .table = ort_options, .offset = offsetof(Settings, ort)},
    {.kind = OPTION_TABLE, .table = runtime_options, .offset = offsetof(Settings, runtime)},
    {0},
};

enum { INPUT_IDS, ATTENTION_MASK, DECODER_INPUT_IDS, INPUT_COUNT };
static const char *const input_names[INPUT_COUNT] = {"input_ids", "attention_mask", "decoder_input_ids"};

// [batch, length] of i32, wherever the file had another integer type.
typedef struct Ids {
    int32_t *values; // NULL: not given
    size_t batch, length;
    const char *path;
} Ids;

static Status ids_read(Arena *arena, const char *path, Ids *ret, Error *err) {
    Tensor tensor;
    TRY(tensor_file_read(arena, path, &tensor, err));
    bool integer = tensor.dtype == DTYPE_I64 || tensor.dtype == DTYPE_I32 || tensor.dtype == DTYPE_BOOL ||
                   tensor.dtype == DTYPE_U8;
    char shape[SHAPE_TEXT_BYTES];
    if (!integer || tensor.shape.rank < 1 || tensor.shape.rank > 2)
        return FAIL(err, ERR_FORMAT, "file '%s' holds %s%s, expected i64 or i32 [batch, length]", path,
                    dtype_name(tensor.dtype), shape_text(&tensor.shape, shape));
    size_t elements = 0;
    if (!shape_elements(&tensor.shape, &elements) || !elements)
        return FAIL(err, ERR_FORMAT, "file '%s' holds %s, expected at least one token", path,
                    shape_text(&tensor.shape, shape));
    Ids ids = {arena_array(arena, elements, sizeof *ids.values, err), 1,
               (size_t)tensor.shape.dims[tensor.shape.rank - 1], path};
    TRY_NEW(ids.values);
    ids.batch = elements / ids.length;
    for (size_t i = 0; i < elements; i++) {
        int64_t wide = 0;
        memcpy(&wide, (const unsigned char *)tensor.data + i * dtype_bytes(tensor.dtype), dtype_bytes(tensor.dtype));
        if (tensor.dtype == DTYPE_I32)
            wide = (int32_t)wide;
        if (wide < 0 || wide > INT32_MAX)
            return FAIL(err, ERR_FORMAT, "file '%s': element %zu is %lld, no token id", path, i, (long long)wide);
        ids.values[i] = (int32_t)wide;
    }
    *ret = ids;
    return OK;
}

static Status ids_check(const Model *model, const Ids *ids, const char *name, Error *err) {
    size_t vocabulary = model_info(model)->vocabulary;
    for (size_t i = 0; i < ids->batch * ids->length; i++)
        if ((size_t)ids->values[i] >= vocabulary)
            return FAIL(err, ERR_FORMAT,
                        "file '%s': element %zu of %s is %d, but the model's vocabulary has ids 0 to %zu", ids->path, i,
                        name, ids->values[i], vocabulary - 1);
    return OK;
}

static Status inputs_read(CommandRun *run, const Model *model, Ids inputs[INPUT_COUNT], Error *err) {
    const Settings *settings = run->settings;
    for (size_t i = 0; i < settings->inputs.count; i++) {
        const char *item = settings->inputs.items[i], *equals = strchr(item, '=');
        size_t length = equals ? (size_t)(equals - item) : 0, which = 0;
        while (which < INPUT_COUNT &&
               !(length == strlen(input_names[which]) && memcmp(item, input_names[which], length) == 0) &&
               !(length == 1 && item[0] == '0' + (int)which))
            which++;
        if (!equals || which == INPUT_COUNT)
            return FAIL(err, ERR_USAGE,
                        "--in is '%s', expected NAME=FILE with input_ids, attention_mask or decoder_input_ids", item);
        TRY(ids_read(run->arena, equals + 1, &inputs[which], err));
    }
    if (!inputs[INPUT_IDS].values || !inputs[DECODER_INPUT_IDS].values)
        return FAIL(err, ERR_USAGE, "graph forward needs --in input_ids=FILE and --in decoder_input_ids=FILE");
    if (inputs[INPUT_IDS].batch != inputs[DECODER_INPUT_IDS].batch)
        return FAIL(err, ERR_FORMAT, "input_ids has a batch of %zu, decoder_input_ids of %zu", inputs[INPUT_IDS].batch,
                    inputs[DECODER_INPUT_IDS].batch);
    TRY(ids_check(model, &inputs[INPUT_IDS], input_names[INPUT_IDS], err));
    TRY(ids_check(model, &inputs[DECODER_INPUT_IDS], input_names[DECODER_INPUT_IDS], err));
    const Ids *mask = &inputs[ATTENTION_MASK];
    if (mask->values && (mask->batch != inputs[INPUT_IDS].batch || mask->length != inputs[INPUT_IDS].length))
        return FAIL(err, ERR_FORMAT, "attention_mask is [%zu, %zu], input_ids [%zu, %zu]", mask->batch, mask->length,
                    inputs[INPUT_IDS].batch, inputs[INPUT_IDS].length);
    return OK;
}

typedef struct Forward {
    Session *session;
    const Ids *source, *mask, *target;
    size_t width, vocabulary;
    float *states; // [batch, length, width]
    float *logits; // [batch, target length, vocabulary]
    int32_t *ids, *positions, *slots;
    DecodeRow *rows;
} Forward;

// Encodes item b: attended positions first, masked ones after them; states go back to their places.
static Status encode_item(Forward *f, size_t b, Source *source, Error *err) {
    size_t length = f->source->length, used = 0, keys = 0;
    for (int attended = 1; attended >= 0; attended--) {
        for (size_t t = 0; t < length; t++) {
            size_t at = b * length + t;
            if ((f->mask->values ? f->mask->values[at] != 0 : 1) != attended)
                continue;
            f->ids[used] = f->source->values[at];
            f->positions[used++] = (int32_t)t;
        }
        keys = attended ? used : keys;
    }
    if (!keys)
        return FAIL(err, ERR_FORMAT, "attention_mask leaves nothing of batch item %zu", b);
    EncodeItem item = {source, f->ids, f->positions, length, keys};
    const float *states;
    TRY(session_encode(f->session, &item, 1, &states, err));
    for (size_t r = 0; r < length; r++)
        memcpy(f->states + (b * length + (size_t)f->positions[r]) * f->width, states + r * f->width,
               f->width * sizeof *states);
    return OK;
}

// All target tokens of item b in one step: each sees itself and those before it.
static Status decode_item(Forward *f, size_t b, Source *source, Error *err) {
    size_t length = f->target->length;
    for (size_t t = 0; t < length; t++) {
        f->slots[t] = source_take_slot(source);
        f->rows[t] = (DecodeRow){source, f->target->values[b * length + t], (int32_t)t, f->slots, t + 1, true};
    }
    float *logits;
    TRY(session_decode(f->session, f->rows, length, &logits, err));
    memcpy(f->logits + b * length * f->vocabulary, logits, length * f->vocabulary * sizeof *logits);
    return OK;
}

static Status forward_all(Forward *f, Error *err) {
    for (size_t b = 0; b < f->source->batch; b++) {
        Source *source;
        TRY(session_open(f->session, f->source->length, f->target->length, &source, err));
        Status status = encode_item(f, b, source, err);
        if (status == OK)
            status = decode_item(f, b, source, err);
        session_close(f->session, source);
        TRY(status);
    }
    return OK;
}

static Status output_write(Arena *arena, const char *folder, const char *name, Shape shape, const float *values,
                           Error *err) {
    Tensor tensor = {name, DTYPE_F32, shape, values, 0};
    if (!shape_bytes(&shape, DTYPE_F32, &tensor.bytes))
        return FAIL(err, ERR_LIMIT, "output '%s' is more than this machine can address", name);
    char *path = arena_format(arena, err, "%s/%s.npy", folder, name);
    TRY_NEW(path);
    return npy_write(path, &tensor, err);
}

static Status forward_buffers(Arena *arena, Forward *f, Error *err) {
    size_t source = f->source->batch * f->source->length, target = f->target->batch * f->target->length, states, logits;
    if (!size_multiply(source, f->width, &states) || !size_multiply(target, f->vocabulary, &logits))
        return FAIL(err, ERR_LIMIT, "the outputs are more than this machine can address");
    TRY_NEW(f->states = arena_array(arena, states, sizeof *f->states, err));
    TRY_NEW(f->logits = arena_array(arena, logits, sizeof *f->logits, err));
    TRY_NEW(f->ids = arena_array(arena, f->source->length, sizeof *f->ids, err));
    TRY_NEW(f->positions = arena_array(arena, f->source->length, sizeof *f->positions, err));
    TRY_NEW(f->slots = arena_array(arena, f->target->length, sizeof *f->slots, err));
    TRY_NEW(f->rows = arena_array(arena, f->target->length, sizeof *f->rows, err));
    return OK;
}

static Status forward(CommandRun *run, const Model *model, const Ids inputs[INPUT_COUNT], const Kernels *kernels,
                      Pool *pool, Error *err) {
    const SessionModel *m = model_session(model);
    Forward f = {.source = &inputs[INPUT_IDS],
                 .mask = &inputs[ATTENTION_MASK],
                 .target = &inputs[DECODER_INPUT_IDS],
                 .width = m->width,
                 .vocabulary = m->vocabulary};
    if (f.source->length > m->most_positions || f.target->length > m->most_positions)
        return FAIL(err, ERR_LIMIT, "inputs of %zu and %zu tokens: the model has %zu positions", f.source->length,
                    f.target->length, m->most_positions);
    TRY(forward_buffers(run->arena, &f, err));
    SessionLimits limits = {.most_rows = f.target->length, .most_source_tokens = f.source->length};
    RuntimeSettings asked = runtime_settings(run, &((const Settings *)run->settings)->runtime, 1);
    limits.kv_kind = runtime_follow(&asked, &model_info(model)->advice).kv_kind;
    limits.pages = f.source->length / KV_BLOCK_TOKENS + f.target->length / KV_BLOCK_TOKENS + 2;
    TRY(session_new(m, kernels, pool, &limits, &f.session, err));
    Status status = forward_all(&f, err);
    session_free(f.session);
    TRY(status);
    const char *folder = ((const Settings *)run->settings)->out;
    if (path_kind(folder) == PATH_NONE && mkdir(folder, 0777) != 0)
        return FAIL(err, ERR_IO, "folder '%s' cannot be created", folder);
    Shape states = {3, {(int64_t)f.source->batch, (int64_t)f.source->length, (int64_t)f.width}};
    Shape logits = {3, {(int64_t)f.target->batch, (int64_t)f.target->length, (int64_t)f.vocabulary}};
    TRY(output_write(run->arena, folder, "encoder_last_hidden_state", states, f.states, err));
    return output_write(run->arena, folder, "logits", logits, f.logits, err);
}

static Status run(CommandRun *run, Error *err) {
    const Settings *settings = run->settings;
    if (!settings->out)
        return FAIL(err, ERR_USAGE, "--out DIR is missing; see 'hone help run'");
    bool onnx;
    TRY(onnx_is_file(run->arena, run->arguments[0], &onnx, err));
    EngineKind kind = settings->engine && strcmp(settings->engine, "ort") == 0 ? ENGINE_ORT : ENGINE_HONE;
    int level = settings->level ? (int)strtol(settings->level, NULL, 10) : 0;
    OnnxSettings engine = {kind, level, &settings->ort};
    if (onnx)
        return run_onnx(run, &(RunOnnx){engine, run->arguments[0], &settings->inputs, settings->out}, err);
    if (kind == ENGINE_ORT)
        return FAIL(err, ERR_USAGE, "--engine ort runs ONNX files, and '%s' is none", run->arguments[0]);
    if (settings->level)
        return FAIL(err, ERR_USAGE, "--level is for ONNX files, and '%s' is none", run->arguments[0]);
    if (settings->graph && strcmp(settings->graph, "forward") != 0)
        return FAIL(err, ERR_USAGE, "--graph is '%s', expected forward", settings->graph);
    const Model *model;
    TRY(model_open(run->arena, run->arguments[0], true, &model, err));
    Ids inputs[INPUT_COUNT] = {0};
    TRY(inputs_read(run, model, inputs, err));
    Kernels kernels;
    kernels_pick(run->common.level, &kernels);
    Pool *pool;
    TRY(pool_new(run->common.threads, &pool, err));
    Status status = forward(run, model, inputs, &kernels, pool, err);
    pool_free(pool);
    return status;
}

const Command command_run = {
    .arguments = "MODEL",
    .least = 1,
    .most = 1,
    .help =
        "Runs a model's graph once on given tensors. The graph forward of an encoder-decoder takes input_ids,\n"
        "attention_mask (optional) and decoder_input_ids, [batch, length], and gives encoder_last_hidden_state and\n"
        "logits. An ONNX file's graph takes its inputs and gives its outputs as they are; ONNX Runtime runs it, too,\n"
        "where its library is there.\n",
    .settings_bytes = sizeof(Settings),
    .options = options,
    .run = run,
};
