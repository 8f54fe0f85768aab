// SPDX-License-Identifier: Apache-2.0
// hone inspect: opens a model as every command does, without running it, and tells what is in it.
#include <string.h>

#include "arch/shapes.h"
#include "cli/command.h"
#include "format/checkpoint.h"
#include "model/model.h"
#include "op/op.h"
#include "tensor/four_bits.h"

typedef struct Settings {
    bool tensors;
} Settings;

static const Option options[] = {
    {"tensors", 0, NULL, "list every tensor with its dtype and shape", OPTION_FLAG, offsetof(Settings, tensors)},
    {0},
};

// "encoder.layers.3" of "model.encoder.layers.3.fc1.weight"; what lies outside the layers goes by its own module's
// name.
static void layer_name(const char *tensor, char *ret_name, size_t bytes) {
    if (strncmp(tensor, "model.", 6) == 0)
        tensor += 6;
    const char *layers = strstr(tensor, "layers."), *last = strrchr(tensor, '.');
    size_t length = layers ? (size_t)(layers - tensor) + 7 + strspn(layers + 7, "0123456789")
                    : last ? (size_t)(last - tensor)
                           : strlen(tensor);
    snprintf(ret_name, bytes, "%.*s", (int)length, tensor);
}

static Status add_bytes(json_t *object, const char *key, size_t bytes, Error *err) {
    json_int_t sum = json_integer_value(json_object_get(object, key)) + (json_int_t)bytes;
    if (json_object_set_new(object, key, json_integer(sum)) != 0)
        return FAIL(err, ERR_MEMORY, "no memory to count tensor bytes");
    return OK;
}

static json_t *tensor_row(const Tensor *tensor) {
    json_t *shape = json_array();
    for (int d = 0; d < tensor->shape.rank; d++)
        json_array_append_new(shape, json_integer(tensor->shape.dims[d]));
    return json_pack("{s:s, s:s, s:o}", "name", tensor->name, "dtype", dtype_safetensors_name(tensor->dtype), "shape",
                     shape);
}

// What only the tensors tell.
static Status tensors_describe(json_t *report, const Bundle *bundle, bool rows, Error *err) {
    json_t *dtypes = json_object(), *layers = json_object(), *list = rows ? json_array() : NULL;
    json_object_set_new(report, "bytes_by_dtype", dtypes);
    json_object_set_new(report, "bytes_by_layer", layers);
    if (rows)
        json_object_set_new(report, "tensors", list);
    for (size_t i = 0; i < bundle->count; i++) {
        const Tensor *tensor = &bundle->tensors[i];
        char layer[256];
        layer_name(tensor->name, layer, sizeof layer);
        TRY(add_bytes(dtypes, dtype_safetensors_name(tensor->dtype), tensor->bytes, err));
        TRY(add_bytes(layers, layer, tensor->bytes, err));
        if (rows && json_array_append_new(list, tensor_row(tensor)) != 0)
            return FAIL(err, ERR_MEMORY, "no memory to list %zu tensors", bundle->count);
    }
    return OK;
}

// Weights of 4 bits, and those of them that are computed as f32 since their blocks do not fit their rows.
static void four_bits_describe(json_t *report, const Model *model) {
    const Bundle *bundle = model_tensors(model);
    const SessionModel *session = model_session(model);
    const Graph *graphs[] = {session->encode, session->decode, session->head};
    json_int_t all = 0, dense = 0;
    for (size_t i = 0; i < bundle->count; i++) {
        const Tensor *tensor = &bundle->tensors[i];
        if (four_bits_form(bundle, tensor) == FOUR_BITS_NONE)
            continue;
        const Constant *constant = NULL;
        for (size_t g = 0; g < sizeof graphs / sizeof *graphs && !constant; g++)
            constant = graph_find_constant(graphs[g], tensor->name);
        all += constant != NULL;
        dense += constant && constant->scheme == SCHEME_DENSE;
    }
    if (all)
        json_object_set_new(report, "four_bit_weights", json_integer(all));
    if (dense)
        json_object_set_new(report, "four_bit_weights_as_f32", json_integer(dense));
}

// Sizes layer by layer, where config.json does not tell them.
static Status shapes_describe(json_t *report, const ModelInfo *info, Error *err) {
    if (!info->shapes.ragged)
        return OK;
    Buffer text = {0};
    shapes_print(&info->shapes, &text);
    Status status = buffer_status(&text, err);
    json_t *shapes = status == OK ? json_loadb(text.data, text.bytes, 0, NULL) : NULL;
    buffer_done(&text);
    if (status == OK && json_object_set_new(report, "shapes", shapes) != 0)
        return FAIL(err, ERR_MEMORY, "no memory to describe %zu layers",
                    info->shapes.encoder_layers + info->shapes.decoder_layers);
    return status;
}

static Status model_describe(json_t *report, const Model *model, Error *err) {
    const ModelInfo *info = model_info(model);
    TRY(op_verify(model_session(model)->encode, err));
    TRY(op_verify(model_session(model)->decode, err));
    TRY(op_verify(model_session(model)->head, err));
    const Tokenizer *tokenizer = model_tokenizer(model);
    if (tokenizer && tokenizer_id_bound(tokenizer) > info->vocabulary)
        return FAIL(err, ERR_FORMAT, "model '%s': the tokenizer has ids up to %zu, the embeddings %zu rows", info->path,
                    tokenizer_id_bound(tokenizer) - 1, info->vocabulary);
    json_t *sizes =
        json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:b}", "family", info->family,
                  "parameters", (json_int_t)info->parameters, "bytes", (json_int_t)info->weight_bytes, "vocabulary",
                  (json_int_t)info->vocabulary, "width", (json_int_t)info->width, "encoder_layers",
                  (json_int_t)info->encoder_layers, "decoder_layers", (json_int_t)info->decoder_layers, "encoder_heads",
                  (json_int_t)info->encoder_heads, "decoder_heads", (json_int_t)info->decoder_heads, "encoder_ffn",
                  (json_int_t)info->encoder_ffn, "decoder_ffn", (json_int_t)info->decoder_ffn, "positions",
                  (json_int_t)info->most_positions, "quantization", info->quantization, "tokenizer", tokenizer != NULL);
    int failed = json_object_update(report, sizes);
    json_decref(sizes);
    four_bits_describe(report, model);
    if (info->sparse_tensors)
        json_object_set_new(report, "bitmap_weights", json_integer((json_int_t)info->sparse_tensors));
    TRY(shapes_describe(report, info, err));
    if (advice_is_there(&info->advice))
        failed |= json_object_set_new(report, "runtime", advice_json(&info->advice));
    return failed ? FAIL(err, ERR_MEMORY, "no memory to describe the model") : OK;
}

static void print_pairs(Buffer *text, const char *title, const json_t *object) {
    const char *key;
    json_t *value;
    buffer_format(text, "%s\n", title);
    json_object_foreach((json_t *)object, key, value)
        buffer_format(text, "  %-32s %10.2f MB\n", key, (double)json_integer_value(value) / 1e6);
}

static void print_shapes(Buffer *text, const char *side, const json_t *shapes) {
    size_t layer;
    json_t *row, *value;
    const char *key;
    json_array_foreach(json_object_get(shapes, side), layer, row) {
        buffer_format(text, "%s.layers.%-2zu ", side, layer);
        json_object_foreach(row, key, value) buffer_format(text, " %s %lld", key, (long long)json_integer_value(value));
        buffer_add_char(text, '\n');
    }
}

static void print_people(Buffer *text, const json_t *report, const RuntimeAdvice *advice) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)report, key, value) {
        if (json_is_string(value))
            buffer_format(text, "%-16s %s\n", key, json_string_value(value));
        else if (json_is_integer(value))
            buffer_format(text, "%-16s %lld\n", key, (long long)json_integer_value(value));
    }
    if (advice_is_there(advice)) {
        buffer_format(text, "%-16s ", "runtime");
        advice_print(advice, text);
        buffer_add_char(text, '\n');
    }
    print_shapes(text, "encoder", json_object_get(report, "shapes"));
    print_shapes(text, "decoder", json_object_get(report, "shapes"));
    print_pairs(text, "bytes by dtype", json_object_get(report, "bytes_by_dtype"));
    print_pairs(text, "bytes by layer", json_object_get(report, "bytes_by_layer"));
    size_t i;
    json_array_foreach(json_object_get(report, "tensors"), i, value) {
        char shape[256] = "";
        size_t used = json_dumpb(json_object_get(value, "shape"), shape, sizeof shape - 1, JSON_COMPACT);
        buffer_format(text, "  %-60s %-5s %.*s\n", json_string_value(json_object_get(value, "name")),
                      json_string_value(json_object_get(value, "dtype")), (int)used, shape);
    }
    if (text->bytes && text->data[text->bytes - 1] == '\n')
        text->bytes--; // output_line ends the last one
}

// One file of tensors without a config.json beside it can still be looked into.
static Status describe(CommandRun *run, json_t *report, RuntimeAdvice *ret_advice, Error *err) {
    const Settings *settings = run->settings;
    const char *path = run->arguments[0];
    char *beside = arena_format(run->arena, err, "%.*sconfig.json", (int)(path_name(path) - path), path);
    TRY_NEW(beside);
    if (path_kind(path) == PATH_FILE && path_kind(beside) == PATH_NONE) {
        Checkpoint checkpoint;
        TRY(checkpoint_open(run->arena, path, &checkpoint, err));
        json_object_set_new(report, "format", json_string(checkpoint.format));
        return tensors_describe(report, &checkpoint.bundle, settings->tensors, err);
    }
    const Model *model;
    TRY(model_open(run->arena, path, true, &model, err));
    TRY(model_describe(report, model, err));
    *ret_advice = model_info(model)->advice;
    return tensors_describe(report, model_tensors(model), settings->tensors, err);
}

static Status run(CommandRun *run, Error *err) {
    json_t *report = json_object();
    if (!report)
        return FAIL(err, ERR_MEMORY, "no memory to describe the model");
    RuntimeAdvice advice = {0};
    Status status = describe(run, report, &advice, err);
    if (status == OK && run->common.json)
        status = output_json(&run->out, report, err);
    else if (status == OK) {
        print_people(&run->out.text, report, &advice);
        status = output_line(&run->out, err);
    }
    json_decref(report);
    return status;
}

const Command command_inspect = {
    .arguments = "MODEL",
    .least = 1,
    .most = 1,
    .help = "Checks settings, files, bounds and graphs of a model without running it, and tells family, parameters,\n"
            "bytes by dtype and by layer, vocabulary and quantization.\n",
    .settings_bytes = sizeof(Settings),
    .options = options,
    .json = true,
    .run = run,
};
