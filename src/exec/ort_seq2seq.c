// SPDX-License-Identifier: Apache-2.0
// Two or three sessions of the library as one runner.
#include "exec/ort_seq2seq.h"

#include <string.h>

#include "base/file.h"
#include "base/memory.h"

typedef struct OrtParts {
    Arena arena;
    OrtLibrary *library;
    OrtEngine *engines[PART_COUNT]; // the last two may be one
} OrtParts;

static Status parts_run(void *context, SeqPart part, const HeldTensor *inputs, const bool *wanted,
                        HeldTensor *ret_outputs, Error *err) {
    OrtParts *parts = context;
    return ort_engine_run_held(parts->engines[part], inputs, wanted, ret_outputs, err);
}

static void parts_release(void *context, HeldTensor *tensor) {
    OrtParts *parts = context;
    ort_engine_release(parts->engines[PART_ENCODER], tensor);
}

static void parts_free(void *context) {
    OrtParts *parts = context;
    if (parts->engines[PART_NEXT] != parts->engines[PART_FIRST])
        ort_engine_free(parts->engines[PART_NEXT]);
    ort_engine_free(parts->engines[PART_FIRST]);
    ort_engine_free(parts->engines[PART_ENCODER]);
    ort_library_close(parts->library);
    arena_done(&parts->arena);
    memory_free(parts);
}

static Status file_bytes_add(Arena *arena, const char *path, size_t *bytes, Error *err) {
    Bytes file;
    TRY(file_map(arena, path, &file, err));
    *bytes += file.size;
    return OK;
}

// Of the file and of the data beside it, where there is some under the names that exporters give it.
static Status bytes_add(Arena *arena, const char *path, size_t *bytes, Error *err) {
    static const char *const endings[] = {"_data", ".data"};
    TRY(file_bytes_add(arena, path, bytes, err));
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char *name = arena_format(arena, err, "%s%s", path, endings[i]);
        TRY_NEW(name);
        if (path_kind(name) == PATH_FILE)
            TRY(file_bytes_add(arena, name, bytes, err));
    }
    return OK;
}

// Of the data that the parts share in a folder that hone export wrote.
static Status shared_bytes_add(Arena *arena, const char *part, size_t *bytes, Error *err) {
    size_t folder = (size_t)(path_name(part) - part);
    char *path = arena_format(arena, err, "%.*s%s", (int)folder, part, "model.onnx_data");
    TRY_NEW(path);
    return path_kind(path) == PATH_FILE ? file_bytes_add(arena, path, bytes, err) : OK;
}

static Status part_open(OrtParts *parts, const char *path, const OrtSettings *settings, SeqPart part,
                        PartRunner *runner, Error *err) {
    TRY(bytes_add(&parts->arena, path, &runner->weight_bytes, err));
    TRY(ort_engine_new(parts->library, path, settings, &parts->engines[part], err));
    OrtEngine *engine = parts->engines[part];
    PartShape *shape = &runner->shapes[part];
    TRY_NEW(shape->name = arena_format(&parts->arena, err, "file '%s'", path));
    shape->inputs = ort_engine_inputs(engine);
    shape->input_count = ort_engine_input_count(engine);
    shape->output_count = ort_engine_output_count(engine);
    const char **names = arena_array(&parts->arena, shape->output_count, sizeof *names, err);
    TRY_NEW(names);
    for (size_t i = 0; i < shape->output_count; i++)
        names[i] = ort_engine_output_name(engine, i);
    shape->outputs = names;
    return OK;
}

// *ret_path: the file's place; NULL without `needed` where there is none.
static Status part_find(Arena *arena, const char *folder, const char *name, bool needed, const char **ret_path,
                        Error *err) {
    TRY(seq2seq_file_find(arena, folder, (const char *const[]){name, NULL}, ret_path, err));
    if (needed && !*ret_path)
        return FAIL(err, ERR_FORMAT,
                    "there is no %s in '%s' or its folder onnx: expected encoder_model.onnx with "
                    "decoder_model_merged.onnx, or with decoder_model.onnx and decoder_with_past_model.onnx",
                    name, folder);
    return OK;
}

static Status parts_open(OrtParts *parts, const char *library, const char *folder, const OrtSettings *settings,
                         PartRunner *runner, Error *err) {
    const char *encoder = NULL, *merged = NULL, *first = NULL, *next = NULL;
    Arena *arena = &parts->arena;
    TRY(part_find(arena, folder, "encoder_model.onnx", true, &encoder, err));
    TRY(part_find(arena, folder, "decoder_model_merged.onnx", false, &merged, err));
    if (!merged) {
        TRY(part_find(arena, folder, "decoder_model.onnx", true, &first, err));
        TRY(part_find(arena, folder, "decoder_with_past_model.onnx", true, &next, err));
    }
    TRY(ort_library_open(library, &parts->library, err));
    TRY(shared_bytes_add(arena, encoder, &runner->weight_bytes, err));
    TRY(part_open(parts, encoder, settings, PART_ENCODER, runner, err));
    TRY(part_open(parts, merged ? merged : first, settings, PART_FIRST, runner, err));
    if (!merged)
        return part_open(parts, next, settings, PART_NEXT, runner, err);
    parts->engines[PART_NEXT] = parts->engines[PART_FIRST];
    runner->shapes[PART_NEXT] = runner->shapes[PART_FIRST];
    return OK;
}

Status ort_seq2seq_open(const char *library, const char *folder, const OrtSettings *settings, size_t vocabulary,
                        Seq2seq **ret_seq2seq, const char **ret_notes, Error *err) {
    OrtParts *parts = memory_new(1, sizeof *parts, err);
    TRY_NEW(parts);
    *parts = (OrtParts){0};
    arena_init(&parts->arena, 0);
    PartRunner runner = {.context = parts, .run = parts_run, .release = parts_release, .free = parts_free};
    Status status = parts_open(parts, library, folder, settings, &runner, err);
    if (status != OK) {
        parts_free(parts);
        return status;
    }
    TRY(seq2seq_new(&runner, vocabulary, ret_seq2seq, err));
    *ret_notes = ort_engine_notes(parts->engines[PART_ENCODER]);
    return OK;
}
