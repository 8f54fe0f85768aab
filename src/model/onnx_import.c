// SPDX-License-Identifier: Apache-2.0
// Finding ONNX files, and the order in which their graphs are held against a family's.
#include "model/onnx_import.h"

#include <string.h>

#include "exec/seq2seq.h"
#include "model/onnx_probe.h"
#include "pass/levels.h"
#include "pass/pass.h"

static const char *existing(Arena *arena, const char *folder, const char *name, Error *err) {
    const char *path = path_join(arena, folder, name, err);
    return path && path_kind(path) == PATH_NONE ? "" : path; // "": not there
}

Status onnx_import_find(Arena *arena, const char *path, const char **ret_encoder, const char **ret_decoder,
                        Error *err) {
    static const char *const checkpoints[] = {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                                              "pytorch_model.bin.index.json", NULL};
    static const char *const encoders[] = {"encoder_model.onnx", NULL};
    static const char *const decoders[] = {"decoder_model_merged.onnx", "decoder_model.onnx", NULL};
    *ret_encoder = *ret_decoder = NULL;
    if (path_kind(path) != PATH_FOLDER) {
        bool onnx;
        TRY(onnx_is_file(arena, path, &onnx, err));
        if (onnx)
            *ret_encoder = *ret_decoder = path;
        return OK;
    }
    for (size_t i = 0; checkpoints[i]; i++) {
        const char *found = existing(arena, path, checkpoints[i], err);
        TRY_NEW(found);
        if (*found)
            return OK;
    }
    const char *encoder, *decoder;
    TRY(seq2seq_file_find(arena, path, encoders, &encoder, err));
    TRY(seq2seq_file_find(arena, path, decoders, &decoder, err));
    if (!encoder)
        return OK;
    if (!decoder)
        return FAIL(err, ERR_FORMAT,
                    "folder '%s' has encoder_model.onnx and neither decoder_model_merged.onnx nor decoder_model.onnx",
                    path);
    *ret_encoder = encoder;
    *ret_decoder = decoder;
    return OK;
}

// One graph in fused operators.
typedef struct Side {
    const OnnxModel *model;
    const char *name; // for messages
} Side;

// A merged decoder has two branches; the one without a past holds all weights.
static Status first_step_choose(Graph *graph, Error *err) {
    static const uint8_t no = 0;
    Value flag;
    if (!graph_find_value(graph, "use_cache_branch", &flag) || !flag.node || flag.node->op != OP_INPUT)
        return OK;
    Constant constant = {.name = "first_step", .dtype = DTYPE_BOOL, .shape = {1, {1}}, .data = &no};
    const Constant *added;
    TRY(graph_add_constant(graph, &constant, &added, err));
    graph_replace_value(graph, flag, value_constant(added));
    return OK;
}

// Passes follow shapes; weights stay as they lie and are looked at once it is known which they are.
enum { MOST_CONSTANT_BYTES = 1 << 16 };

static Status side_make(Arena *arena, const OnnxModel *model, Side *side, Error *err) {
    const char *names[LEVEL_MOST_PASSES];
    size_t count = level_passes((LevelWish){.level = 2, .only_onnx = true}, names);
    side->model = model;
    TRY_NEW(side->name = model->files[0] ? arena_format(arena, err, "file '%s'", model->files[0]) : "the model");
    TRY(first_step_choose(model->graph, err));
    return passes_run(model->graph, names, count, &(PassInputs){.most_constant_bytes = MOST_CONSTANT_BYTES}, NULL, NULL,
                      err);
}

// The output of that name, or the only one.
static Status result_find(const Side *side, const char *name, Value *ret, Error *err) {
    size_t count = side->model->graph->return_count;
    for (size_t i = 0; i < count; i++)
        if (count == 1 || strcmp(side->model->output_names[i], name) == 0) {
            *ret = side->model->graph->returns[i];
            return OK;
        }
    return FAIL(err, ERR_UNSUPPORTED, "%s has no output '%s'", side->name, name);
}

static Status input_expect(const Side *side, Value value, const char *name, Error *err) {
    if (value.node && value.node->op == OP_INPUT && strcmp(value.node->names[0], name) == 0)
        return OK;
    return FAIL(err, ERR_UNSUPPORTED, "%s: attention over the source does not read input '%s'", side->name, name);
}

// What is matched next lies in another graph, or is fed by another input.
static void match_turn(Match *match, const Side *side, const char *ids) {
    match->name = side->name;
    match->ids = ids;
    match->mask_count = match->places_count = 0;
}

// Both sides, in one graph or in two.
static Status sides_match(Match *match, const ArchModel *wanted, const Side *encoder, const Side *decoder,
                          int32_t padding, Error *err) {
    bool one = encoder == decoder;
    ProbeInputs probe = {"input_ids", one ? "attention_mask" : "encoder_attention_mask",
                         one ? "decoder_input_ids" : "input_ids", padding};
    Value logits, states = {0}, source = {0};
    match_turn(match, decoder, probe.target_ids);
    TRY(result_find(decoder, "logits", &logits, err));
    TRY(match_family(match, wanted->head, logits, &states, err));
    TRY(match_family(match, wanted->decode, states, NULL, err));
    TRY(match_cross(match, wanted->encode, &source, err));
    if (!one) {
        probe.source_ids = "";
        TRY(input_expect(decoder, source, "encoder_hidden_states", err));
    }
    TRY(onnx_probe(match, decoder->model->graph, &probe, err));
    match_turn(match, encoder, "input_ids");
    probe = (ProbeInputs){"input_ids", "attention_mask", one ? "decoder_input_ids" : "", padding};
    if (!one)
        TRY(result_find(encoder, "last_hidden_state", &source, err));
    TRY(match_family(match, wanted->encode, source, NULL, err));
    return onnx_probe(match, encoder->model->graph, &probe, err);
}

static bool is_tied(const TiedTables *tables, const char *name) {
    for (size_t i = 0; i < tables->count; i++)
        if (strcmp(tables->apart[i], name) == 0)
            return true;
    return false;
}

// The file among those that weights lie in, and the place in it; NULL: copied out of one.
static const char *file_of(const OnnxImport *import, const Constant *values, size_t *ret_offset) {
    uintptr_t at = (uintptr_t)values->data;
    for (size_t i = 0; i < import->map_count; i++) {
        uintptr_t start = (uintptr_t)import->maps[i].data;
        if (at >= start && at - start < import->maps[i].size) {
            *ret_offset = at - start;
            return import->map_files[i];
        }
    }
    return NULL;
}

// Whether two weights are the same bytes of one file, which each side has mapped for itself.
static bool lie_together(const OnnxImport *import, const StoredWeight *a, const StoredWeight *b) {
    size_t offsets[2] = {0};
    const char *first = file_of(import, a->values, &offsets[0]), *second = file_of(import, b->values, &offsets[1]);
    return first && second && strcmp(first, second) == 0 && offsets[0] == offsets[1] && !a->scales && !b->scales &&
           a->values->dtype == b->values->dtype && a->turned == b->turned;
}

static bool tables_are_one(const Match *match, const OnnxImport *import, const TiedTables *tables) {
    const MatchedWeight *first = matched_weight(match, tables->apart[0]);
    for (size_t i = 1; first && i < tables->count; i++) {
        const MatchedWeight *other = matched_weight(match, tables->apart[i]);
        if (!other || (!lie_together(import, &first->stored, &other->stored) &&
                       !stored_equal(&first->stored, &other->stored, first->rows, first->columns)))
            return false;
    }
    return first;
}

// `tied`: the tables that are one; NULL: none are.
static Status tensors_make(Arena *arena, const Match *match, const TiedTables *tied, bool upright, OnnxImport *ret,
                           Error *err) {
    FoundTensors found = {.arena = arena, .upright = upright};
    bool quantized = false;
    for (size_t i = 0; i < match->weight_count; i++) {
        const MatchedWeight *w = &match->weights[i];
        if (!tied || !is_tied(tied, w->name))
            TRY(found_add(&found, w->name, w->rows, w->columns, &w->stored, err));
        quantized |= w->stored.values->dtype == DTYPE_I8 || w->stored.values->dtype == DTYPE_U8;
    }
    if (tied) {
        const MatchedWeight *table = matched_weight(match, tied->apart[0]);
        TRY(found_add(&found, tied->one, table->rows, table->columns, &table->stored, err));
    }
    ret->tensors = (Bundle){found.tensors, found.count};
    ret->form = quantized ? "ONNX int8" : "ONNX";
    return bundle_seal(&ret->tensors, err);
}

static bool file_is_listed(const OnnxImport *import, const char *file) {
    for (size_t i = 0; file && i < import->file_count; i++)
        if (import->files[i] && strcmp(import->files[i], file) == 0)
            return true;
    return false;
}

static Status files_list(Arena *arena, const Side *sides, size_t count, OnnxImport *ret, Error *err) {
    size_t most = 0;
    for (size_t i = 0; i < count; i++)
        most += sides[i].model->file_count;
    TRY_NEW(ret->maps = arena_array(arena, most, sizeof *ret->maps, err));
    TRY_NEW(ret->map_files = arena_array(arena, most, sizeof *ret->map_files, err));
    TRY_NEW(ret->files = arena_array(arena, most, sizeof *ret->files, err));
    TRY_NEW(ret->contents = arena_array(arena, most, sizeof *ret->contents, err));
    for (size_t i = 0; i < count; i++)
        for (size_t f = 0; f < sides[i].model->file_count; f++) {
            const char *file = sides[i].model->files[f];
            ret->map_files[ret->map_count] = file;
            ret->maps[ret->map_count++] = sides[i].model->contents[f];
            if (file_is_listed(ret, file))
                continue;
            ret->files[ret->file_count] = file;
            ret->contents[ret->file_count++] = sides[i].model->contents[f];
        }
    return OK;
}

static void config_free(void *config) {
    json_decref(config);
}

// The config with its tables apart.
static Status config_untie(Arena *arena, const json_t *config, json_t **ret, Error *err) {
    json_t *copy = json_deep_copy(config);
    bool made = copy && json_object_set_new(copy, "tie_word_embeddings", json_false()) == 0;
    if (!made) {
        json_decref(copy);
        return FAIL(err, ERR_MEMORY, "no memory for a copy of config.json");
    }
    *ret = copy;
    return arena_on_free(arena, config_free, copy, err);
}

static Status match_make(Arena *arena, const ArchModel *wanted, Match *match, Error *err) {
    const Graph *graphs[] = {wanted->encode, wanted->decode, wanted->head};
    size_t node_room = 0, weight_room = 0;
    for (size_t g = 0; g < sizeof graphs / sizeof *graphs; g++) {
        weight_room += graphs[g]->constant_count;
        node_room += graphs[g]->node_count;
    }
    TRY_NEW(match->weights = arena_array(arena, weight_room, sizeof *match->weights, err));
    TRY_NEW(match->masks = arena_array(arena, node_room, sizeof *match->masks, err));
    TRY_NEW(match->places = arena_array(arena, node_room, sizeof *match->places, err));
    match->cross_count = wanted->decoder_layers;
    TRY_NEW(match->cross = arena_array(arena, match->cross_count, sizeof *match->cross, err));
    return OK;
}

Status onnx_import_models(Arena *arena, const OnnxModel *encoder, const OnnxModel *decoder, const ArchInput *input,
                          bool upright, OnnxImport *ret_import, Error *err) {
    OnnxImport import = {0};
    ArchInput apart = *input;
    ArchModel wanted;
    const Arch *arch;
    bool tied = true;
    int64_t padding = 1;
    TRY(json_get_bool(input->config, input->config_name, "tie_word_embeddings", &tied, err));
    TRY(json_get_int(input->config, input->config_name, "pad_token_id", 0, INT32_MAX, &padding, err));
    TRY(config_untie(arena, input->config, &import.config, err));
    apart.config = import.config;
    TRY(arch_find(&apart, &arch, err));
    TRY(arch->build(arena, &apart, &wanted, err));
    Side sides[2] = {0};
    size_t count = encoder == decoder ? 1 : 2;
    TRY(side_make(arena, encoder, &sides[0], err));
    if (count == 2)
        TRY(side_make(arena, decoder, &sides[1], err));
    Match match = {.arena = arena, .family = wanted.family};
    TRY(match_make(arena, &wanted, &match, err));
    TRY(sides_match(&match, &wanted, &sides[0], &sides[count - 1], (int32_t)padding, err));
    TRY(files_list(arena, sides, count, &import, err));
    tied = tied && tables_are_one(&match, &import, wanted.tied);
    TRY(tensors_make(arena, &match, tied ? wanted.tied : NULL, upright, &import, err));
    if (tied) // config.json says so, or says nothing
        json_object_del(import.config, "tie_word_embeddings");
    *ret_import = import;
    return OK;
}

Status onnx_import(Arena *arena, const char *encoder, const char *decoder, const ArchInput *input, bool upright,
                   OnnxImport *ret_import, Error *err) {
    OnnxModel models[2];
    size_t count = encoder == decoder ? 1 : 2;
    TRY(onnx_read(arena, encoder, &models[0], err));
    if (count == 2)
        TRY(onnx_read(arena, decoder, &models[1], err));
    return onnx_import_models(arena, &models[0], &models[count - 1], input, upright, ret_import, err);
}
