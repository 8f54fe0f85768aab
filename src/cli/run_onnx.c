// SPDX-License-Identifier: Apache-2.0
// Reads the model, finds which file is which input, evaluates, writes.
#include "cli/run_onnx.h"

#include <string.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/file.h"
#include "format/npy/npy.h"
#include "format/tensor_file.h"

typedef struct Inputs {
    const OrtInput *known; // the model's, in order
    Tensor *tensors;       // dtype DTYPE_COUNT: not given yet
    size_t count;
} Inputs;

static Status inputs_find(Arena *arena, const OnnxEngine *engine, Inputs *ret, Error *err) {
    *ret = (Inputs){.known = onnx_engine_inputs(engine), .count = onnx_engine_input_count(engine)};
    TRY_NEW(ret->tensors = arena_array(arena, ret->count, sizeof *ret->tensors, err));
    for (size_t i = 0; i < ret->count; i++)
        ret->tensors[i].dtype = DTYPE_COUNT;
    return OK;
}

// "'a', 'b' (f32, 3 dimensions)", for messages.
static Status inputs_text(Arena *arena, const Inputs *inputs, const char **ret, Error *err) {
    Buffer text = {0};
    for (size_t i = 0; i < inputs->count; i++) {
        const OrtInput *input = &inputs->known[i];
        buffer_format(&text, "%s'%s'", i ? ", " : "", input->name);
        if (input->rank >= 0)
            buffer_format(&text, " (%s, %d dimensions)", dtype_name(input->dtype), input->rank);
    }
    Status status = buffer_status(&text, err);
    if (status == OK) {
        *ret = arena_copy_text(arena, text.data ? text.data : "none", text.data ? text.bytes : 4, err);
        status = *ret ? OK : err->status;
    }
    buffer_done(&text);
    return status;
}

// Which input "NAME=FILE" or "0=FILE" means, and where its file's name begins; false: none.
static bool input_named(const Inputs *inputs, const char *item, size_t *ret_index, const char **ret_file) {
    for (size_t i = 0; i < inputs->count; i++) {
        const char *name = inputs->known[i].name;
        size_t bytes = strlen(name);
        if (strncmp(item, name, bytes) == 0 && item[bytes] == '=') {
            *ret_index = i;
            *ret_file = item + bytes + 1;
            return true;
        }
    }
    size_t digits = strspn(item, "0123456789"), position = 0;
    if (!digits || digits > 6 || item[digits] != '=')
        return false;
    for (size_t i = 0; i < digits; i++)
        position = position * 10 + (size_t)(item[i] - '0');
    *ret_index = position;
    *ret_file = item + digits + 1;
    return position < inputs->count;
}

static Status inputs_read(Arena *arena, const TextList *list, Inputs *inputs, Error *err) {
    const char *known;
    TRY(inputs_text(arena, inputs, &known, err));
    for (size_t i = 0; i < list->count; i++) {
        size_t index;
        const char *file;
        if (!input_named(inputs, list->items[i], &index, &file))
            return FAIL(err, ERR_USAGE, "--in is '%s', expected NAME=FILE or POSITION=FILE; the model's inputs are %s",
                        list->items[i], known);
        TRY(tensor_file_read(arena, file, &inputs->tensors[index], err));
    }
    for (size_t i = 0; i < inputs->count; i++)
        if (inputs->tensors[i].dtype == DTYPE_COUNT)
            return FAIL(err, ERR_USAGE, "input '%s' is not given; the model's inputs are %s", inputs->known[i].name,
                        known);
    return OK;
}

static Status output_path(Arena *arena, const char *folder, const char *name, const char **ret, Error *err) {
    char *file = arena_format(arena, err, "%s.npy", name);
    TRY_NEW(file);
    for (char *c = file; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *c))
            *c = '_';
    TRY_NEW(*ret = path_join(arena, folder, file, err));
    return OK;
}

static Status outputs_write(Arena *arena, const OnnxEngine *engine, const Tensor *results, const char *folder,
                            Error *err) {
    size_t count = onnx_engine_output_count(engine);
    const char **paths = arena_array(arena, count, sizeof *paths, err);
    TRY_NEW(paths);
    for (size_t i = 0; i < count; i++) {
        TRY(output_path(arena, folder, onnx_engine_output_name(engine, i), &paths[i], err));
        for (size_t k = 0; k < i; k++)
            if (strcmp(paths[k], paths[i]) == 0)
                return FAIL(err, ERR_UNSUPPORTED, "outputs '%s' and '%s' would both be '%s'",
                            onnx_engine_output_name(engine, k), onnx_engine_output_name(engine, i), paths[i]);
    }
    if (path_kind(folder) == PATH_NONE && mkdir(folder, 0777) != 0)
        return FAIL(err, ERR_IO, "folder '%s' cannot be created", folder);
    for (size_t i = 0; i < count; i++)
        TRY(npy_write(paths[i], &results[i], err));
    return OK;
}

static Status engine_run(CommandRun *run, OnnxEngine *engine, const TextList *list, const char *folder, Error *err) {
    Inputs inputs;
    const Tensor *results;
    TRY(inputs_find(run->arena, engine, &inputs, err));
    TRY(inputs_read(run->arena, list, &inputs, err));
    TRY(onnx_engine_run(engine, inputs.tensors, &results, err));
    return outputs_write(run->arena, engine, results, folder, err);
}

Status run_onnx(CommandRun *run, const RunOnnx *asked, Error *err) {
    OnnxEngine *engine;
    TRY(onnx_engine_open(run, asked->path, &asked->engine, &engine, err));
    Status status = engine_run(run, engine, asked->inputs, asked->folder, err);
    onnx_engine_free(engine);
    return status;
}
