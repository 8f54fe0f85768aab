// SPDX-License-Identifier: Apache-2.0
// Opening a model: files, settings, graphs, passes, tokenizer.
#include "model/model.h"

#include <string.h>

#include "arch/arch.h"
#include "format/checkpoint.h"
#include "model/canonical.h"
#include "model/onnx_import.h"
#include "model/quantization.h"
#include "pass/pass.h"
#include "tensor/sparse.h"

struct Model {
    ModelInfo info;
    Bundle tensors;
    SessionModel session;
    GenerationOptions generation;
    const Tokenizer *tokenizer;
};

// The folder that settings and tokenizer are read from: the model's own, or the one its file lies in.
static Status settings_folder(Arena *arena, const char *path, const char **ret, Error *err) {
    if (path_kind(path) == PATH_FOLDER) {
        *ret = path;
        return OK;
    }
    const char *name = path_name(path);
    if (name == path) {
        *ret = ".";
        return OK;
    }
    TRY_NEW(*ret = arena_copy_text(arena, path, (size_t)(name - path), err));
    return OK;
}

static Status config_read(Arena *arena, const char *folder, const char *model_path, json_t **ret_config,
                          const char **ret_name, Error *err) {
    char *path = path_join(arena, folder, "config.json", err);
    TRY_NEW(path);
    if (path_kind(path) == PATH_NONE)
        return FAIL(err, ERR_FORMAT, "model '%s' has no config.json in '%s'", model_path, folder);
    TRY(json_read(arena, path, false, ret_config, err));
    TRY_NEW(*ret_name = arena_format(arena, err, "file '%s'", path));
    if (!json_is_object(*ret_config))
        return FAIL(err, ERR_FORMAT, "%s: expected a JSON object", *ret_name);
    return OK;
}

// Defaults, overridden by config.json, overridden by generation_config.json. Where there is no generation_config.json,
// Hugging Face makes one from its config class, whose own defaults count then.
static Status generation_defaults_read(Arena *arena, const char *folder, const ArchInput *input, GenerationOptions *ret,
                                       Error *err) {
    GenerationOptions options = generation_defaults();
    char *path = path_join(arena, folder, "generation_config.json", err);
    TRY_NEW(path);
    json_t *generation;
    TRY(json_read(arena, path, true, &generation, err));
    if (!generation) {
        const Arch *arch;
        json_t *class_defaults;
        TRY(arch_find(input, &arch, err));
        Bytes text = {(const unsigned char *)arch->generation, strlen(arch->generation)};
        TRY(json_parse(arena, arch->name, text, false, &class_defaults, err));
        TRY(generation_read_config(arena, class_defaults, arch->name, &options, err));
    }
    TRY(generation_read_config(arena, input->config, input->config_name, &options, err));
    if (generation) {
        char *name = arena_format(arena, err, "file '%s'", path);
        TRY_NEW(name);
        if (!json_is_object(generation))
            return FAIL(err, ERR_FORMAT, "%s: expected a JSON object", name);
        TRY(generation_read_config(arena, generation, name, &options, err));
    }
    *ret = options;
    return OK;
}

static Status tokenizer_find_files(Arena *arena, const char *folder, bool *ret_found, Error *err) {
    static const char *const names[] = {"tokenizer.json", "vocab.json", "vocab.txt"};
    char **files;
    size_t count;
    TRY(folder_list(arena, folder, &files, &count, err));
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        for (size_t n = 0; n < sizeof names / sizeof *names; n++)
            found |= strcmp(files[i], names[n]) == 0;
        size_t length = strlen(files[i]);
        found |= length > 6 && strcmp(files[i] + length - 6, ".model") == 0;
    }
    *ret_found = found;
    return OK;
}

// hone.json tells of layers that config.json cannot tell of, and how to run the model.
static Status manifest_look(Arena *arena, const char *folder, ArchInput *input, RuntimeAdvice *ret_advice, Error *err) {
    char *path = path_join(arena, folder, "hone.json", err);
    TRY_NEW(path);
    json_t *manifest;
    TRY(json_read(arena, path, true, &manifest, err));
    input->shapes = json_object_get(manifest, "shapes");
    TRY_NEW(input->shapes_name = arena_format(arena, err, "file '%s'", path));
    return advice_read(json_object_get(manifest, "runtime"), input->shapes_name, ret_advice, err);
}

enum { GRAPHS = 3 }; // encode, decode, head

static bool counted(const Graph *const *graphs, size_t count, const char *name) {
    for (size_t g = 0; g < count; g++)
        if (graph_find_constant(graphs[g], name))
            return true;
    return false;
}

static Status parameters_count(const Graph *const graphs[GRAPHS], int64_t *ret, Error *err) {
    int64_t total = 0;
    for (size_t g = 0; g < GRAPHS; g++)
        for (size_t i = 0; i < graphs[g]->constant_count; i++) {
            const Constant *c = graphs[g]->constants[i];
            size_t elements;
            if (counted(graphs, g, c->name))
                continue;
            if (!shape_elements(&c->shape, &elements))
                return FAIL(err, ERR_LIMIT, "constant '%s' is more than this machine can address", c->name);
            total += (int64_t)elements;
        }
    *ret = total;
    return OK;
}

static void info_fill_files(ModelInfo *info, const char *folder) {
    info->folder = folder;
    for (size_t i = 0; i < info->file_count; i++)
        info->weight_bytes += info->contents[i].size;
}

// The tensors of a checkpoint under hone's names.
static Status checkpoint_take(Arena *arena, Model *model, const char *path, ArchInput *input, Error *err) {
    ModelInfo *info = &model->info;
    Checkpoint checkpoint;
    TRY(checkpoint_open(arena, path, &checkpoint, err));
    TRY(bundle_canonical(arena, &checkpoint.bundle, quantization_zero_shift(info->quantization), &model->tensors, err));
    TRY(sparse_expand(arena, &model->tensors, &info->sparse_tensors, err));
    if (info->sparse_tensors)
        info->quantization = "none, zeros as bitmaps";
    info->files = checkpoint.files;
    info->contents = checkpoint.contents;
    info->file_count = checkpoint.file_count;
    input->maps = checkpoint.contents;
    input->map_count = checkpoint.file_count;
    return OK;
}

// Those that ONNX graphs hold.
static Status onnx_open(Arena *arena, Model *model, const char *encoder, const char *decoder, ArchInput *input,
                        bool upright, Error *err) {
    ModelInfo *info = &model->info;
    OnnxImport import;
    TRY(onnx_import(arena, encoder, decoder, input, upright, &import, err));
    model->tensors = import.tensors;
    input->config = import.config;
    input->turned = !upright;
    input->maps = import.maps;
    input->map_count = import.map_count;
    info->quantization = import.form;
    info->onnx = true;
    info->files = import.files;
    info->contents = import.contents;
    info->file_count = import.file_count;
    return OK;
}

static void info_fill(Model *model, const char *path, const ArchModel *arch) {
    ModelInfo *info = &model->info;
    info->path = path;
    info->family = arch->family;
    info->vocabulary = arch->vocabulary;
    info->width = arch->width;
    info->encoder_layers = arch->encoder_layers;
    info->decoder_layers = arch->decoder_layers;
    info->encoder_heads = arch->encoder_heads;
    info->decoder_heads = arch->decoder_heads;
    info->encoder_ffn = arch->encoder_ffn;
    info->decoder_ffn = arch->decoder_ffn;
    info->shapes = arch->shapes;
    info->keys = arch->keys;
    info->most_positions = arch->most_positions;
    const GenerationOptions *g = &model->generation;
    info->ids = (SpecialIds){g->bos_token_id, g->eos_token_count ? g->eos_token_ids[0] : -1, g->pad_token_id,
                             g->decoder_start_token_id};
    model->session = (SessionModel){.files = info->files,
                                    .contents = info->contents,
                                    .file_count = info->file_count,
                                    .encode = arch->encode,
                                    .decode = arch->decode,
                                    .head = arch->head,
                                    .decoder_layers = arch->decoder_layers,
                                    .width = arch->width,
                                    .vocabulary = arch->vocabulary,
                                    .most_positions = arch->most_positions};
}

static Status graphs_build(Arena *arena, Model *model, const char *path, const ArchInput *input, bool passes,
                           Error *err) {
    const Arch *arch;
    ArchModel built;
    TRY(arch_find(input, &arch, err));
    TRY(arch->build(arena, input, &built, err));
    Graph *graphs[GRAPHS] = {built.encode, built.decode, built.head};
    TRY(parameters_count((const Graph *const[GRAPHS]){built.encode, built.decode, built.head}, &model->info.parameters,
                         err));
    for (size_t i = 0; i < GRAPHS && passes; i++)
        TRY(passes_run_standard(graphs[i], err));
    info_fill(model, path, &built);
    return OK;
}

Status model_open(Arena *arena, const char *path, bool passes, const Model **ret_model, Error *err) {
    if (path_kind(path) == PATH_NONE)
        return FAIL(err, ERR_IO, "there is no model at '%s': expected a folder with config.json and weights", path);
    Model *model = arena_array(arena, 1, sizeof *model, err);
    TRY_NEW(model);
    const char *folder, *config_name = NULL;
    json_t *config;
    TRY(settings_folder(arena, path, &folder, err));
    TRY(config_read(arena, folder, path, &config, &config_name, err));
    TRY(quantization_check(config, config_name, &model->info.quantization, err));
    ArchInput input = {.config = config, .config_name = config_name};
    TRY(manifest_look(arena, folder, &input, &model->info.advice, err));
    const char *encoder, *decoder;
    TRY(onnx_import_find(arena, path, &encoder, &decoder, err));
    TRY(encoder ? onnx_open(arena, model, encoder, decoder, &input, !passes, err)
                : checkpoint_take(arena, model, path, &input, err));
    info_fill_files(&model->info, folder);
    input.tensors = &model->tensors;
    TRY(generation_defaults_read(arena, folder, &input, &model->generation, err));
    TRY(graphs_build(arena, model, path, &input, passes, err));
    bool has_tokenizer;
    TRY(tokenizer_find_files(arena, folder, &has_tokenizer, err));
    if (has_tokenizer)
        TRY(tokenizer_open(arena, folder, &model->tokenizer, err));
    *ret_model = model;
    return OK;
}

Status model_open_settings(Arena *arena, const char *path, const Model **ret_model, Error *err) {
    if (path_kind(path) == PATH_NONE)
        return FAIL(err, ERR_IO, "there is no model at '%s': expected a folder with config.json", path);
    Model *model = arena_array(arena, 1, sizeof *model, err);
    TRY_NEW(model);
    json_t *config;
    ArchInput input = {0};
    TRY(settings_folder(arena, path, &model->info.folder, err));
    TRY(config_read(arena, model->info.folder, path, &config, &input.config_name, err));
    input.config = config;
    model->info.quantization = "none";
    TRY(manifest_look(arena, model->info.folder, &input, &model->info.advice, err));
    TRY(generation_defaults_read(arena, model->info.folder, &input, &model->generation, err));
    TRY(graphs_build(arena, model, path, &input, false, err));
    bool has_tokenizer;
    TRY(tokenizer_find_files(arena, model->info.folder, &has_tokenizer, err));
    if (has_tokenizer)
        TRY(tokenizer_open(arena, model->info.folder, &model->tokenizer, err));
    *ret_model = model;
    return OK;
}

const ModelInfo *model_info(const Model *model) {
    return &model->info;
}

const SessionModel *model_session(const Model *model) {
    return &model->session;
}

const Bundle *model_tensors(const Model *model) {
    return &model->tensors;
}

const GenerationOptions *model_generation(const Model *model) {
    return &model->generation;
}

const Tokenizer *model_tokenizer(const Model *model) {
    return model->tokenizer;
}
