// SPDX-License-Identifier: Apache-2.0
// Names as optimum gives them, held against what each part needs.
#include "exec/seq2seq_parts.h"

#include <string.h>

#include "base/file.h"

static const char past_prefix[] = "past_key_values.", present_prefix[] = "present.";

enum { MOST_LAYERS = 1024 };

static const struct {
    const char *name;
    PlugKind kind;
    DType dtype;
} plain_inputs[] = {
    {"input_ids", PLUG_IDS, DTYPE_I64},
    {"attention_mask", PLUG_MASK, DTYPE_I64},
    {"encoder_attention_mask", PLUG_MASK, DTYPE_I64},
    {"encoder_hidden_states", PLUG_STATES, DTYPE_COUNT},
    {"use_cache_branch", PLUG_BRANCH, DTYPE_BOOL},
};

enum { PLAIN_INPUTS = sizeof plain_inputs / sizeof *plain_inputs };

// "PREFIX3.decoder.key"
static bool cache_plug(const char *name, const char *prefix, Plug *ret) {
    static const char *const kinds[] = {".decoder.key", ".decoder.value", ".encoder.key", ".encoder.value"};
    size_t layer = 0, digits = 0;
    if (strncmp(name, prefix, strlen(prefix)) != 0)
        return false;
    for (name += strlen(prefix); *name >= '0' && *name <= '9' && layer < MOST_LAYERS; name++, digits++)
        layer = 10 * layer + (size_t)(*name - '0');
    for (size_t k = 0; k < 4 && digits && layer < MOST_LAYERS; k++)
        if (strcmp(name, kinds[k]) == 0) {
            *ret = (Plug){k < 2 ? PLUG_SELF : PLUG_CROSS, 2 * layer + k % 2};
            return true;
        }
    return false;
}

static Status input_plug(SeqPart part, const PartShape *shape, const OrtInput *input, Plug *ret, Error *err) {
    if (part != PART_ENCODER && cache_plug(input->name, past_prefix, ret))
        return OK;
    for (size_t i = 0; i < PLAIN_INPUTS; i++) {
        bool encoders = plain_inputs[i].kind <= PLUG_MASK;
        if (strcmp(plain_inputs[i].name, input->name) != 0 || (part == PART_ENCODER && !encoders))
            continue;
        DType dtype = plain_inputs[i].dtype;
        if (dtype != DTYPE_COUNT && dtype != input->dtype)
            return FAIL(err, ERR_UNSUPPORTED, "%s: input '%s' is %s, expected %s", shape->name, input->name,
                        dtype_name(input->dtype), dtype_name(dtype));
        *ret = (Plug){plain_inputs[i].kind, 0};
        return OK;
    }
    return FAIL(err, ERR_UNSUPPORTED, "%s takes '%s', which no encoder-decoder in optimum's layout takes", shape->name,
                input->name);
}

// Outputs that are of no use here are not asked for.
static bool output_plug(SeqPart part, const char *name, Plug *ret) {
    bool states = part == PART_ENCODER && strcmp(name, "last_hidden_state") == 0;
    bool logits = part != PART_ENCODER && strcmp(name, "logits") == 0;
    if (states || logits) {
        *ret = (Plug){states ? PLUG_STATES : PLUG_LOGITS, 0};
        return true;
    }
    return part != PART_ENCODER && cache_plug(name, present_prefix, ret) &&
           (ret->kind == PLUG_SELF || part == PART_FIRST);
}

static Status part_read(Arena *arena, SeqPart part, const PartShape *shape, PartPlugs *plugs, Error *err) {
    TRY_NEW(plugs->inputs = arena_array(arena, shape->input_count, sizeof *plugs->inputs, err));
    TRY_NEW(plugs->outputs = arena_array(arena, shape->output_count, sizeof *plugs->outputs, err));
    TRY_NEW(plugs->wanted = arena_array(arena, shape->output_count, sizeof *plugs->wanted, err));
    for (size_t i = 0; i < shape->input_count; i++) {
        TRY(input_plug(part, shape, &shape->inputs[i], &plugs->inputs[i], err));
        plugs->branches |= plugs->inputs[i].kind == PLUG_BRANCH;
    }
    for (size_t i = 0; i < shape->output_count; i++)
        plugs->wanted[i] = output_plug(part, shape->outputs[i], &plugs->outputs[i]);
    return OK;
}

static bool has_input(const PartShape *shape, const PartPlugs *plugs, Plug plug) {
    for (size_t i = 0; i < shape->input_count; i++)
        if (plugs->inputs[i].kind == plug.kind && plugs->inputs[i].index == plug.index)
            return true;
    return false;
}

static bool has_output(const PartShape *shape, const PartPlugs *plugs, Plug plug) {
    for (size_t i = 0; i < shape->output_count; i++)
        if (plugs->wanted[i] && plugs->outputs[i].kind == plug.kind && plugs->outputs[i].index == plug.index)
            return true;
    return false;
}

static Status need(const PartShape *shape, bool has, bool input, const char *name, Error *err) {
    if (!has)
        return FAIL(err, ERR_UNSUPPORTED, "%s %s no '%s', which an encoder-decoder in optimum's layout has",
                    shape->name, input ? "takes" : "gives", name);
    return OK;
}

static Status part_check(SeqPart part, const PartShape *shape, const PartPlugs *plugs, Error *err) {
    const char *mask = part == PART_ENCODER ? "attention_mask" : "encoder_attention_mask";
    PlugKind gives = part == PART_ENCODER ? PLUG_STATES : PLUG_LOGITS;
    TRY(need(shape, has_input(shape, plugs, (Plug){PLUG_IDS, 0}), true, "input_ids", err));
    TRY(need(shape, has_input(shape, plugs, (Plug){PLUG_MASK, 0}), true, mask, err));
    if (part == PART_FIRST)
        TRY(need(shape, has_input(shape, plugs, (Plug){PLUG_STATES, 0}), true, "encoder_hidden_states", err));
    return need(shape, has_output(shape, plugs, (Plug){gives, 0}), false,
                part == PART_ENCODER ? "last_hidden_state" : "logits", err);
}

// Layer by layer, what the first step gives and what others take and give.
static Status layers_check(const PartShape *shapes, const PartPlugs *plugs, size_t layers, Error *err) {
    for (size_t i = 0; i < 2 * layers; i++) {
        char name[64];
        const char *what = i % 2 ? "value" : "key";
        for (PlugKind kind = PLUG_SELF; kind <= PLUG_CROSS; kind++) {
            const char *side = kind == PLUG_SELF ? "decoder" : "encoder";
            snprintf(name, sizeof name, "present.%zu.%s.%s", i / 2, side, what);
            TRY(need(&shapes[PART_FIRST], has_output(&shapes[PART_FIRST], &plugs[PART_FIRST], (Plug){kind, i}), false,
                     name, err));
            if (kind == PLUG_SELF)
                TRY(need(&shapes[PART_NEXT], has_output(&shapes[PART_NEXT], &plugs[PART_NEXT], (Plug){kind, i}), false,
                         name, err));
            snprintf(name, sizeof name, "past_key_values.%zu.%s.%s", i / 2, side, what);
            TRY(need(&shapes[PART_NEXT], has_input(&shapes[PART_NEXT], &plugs[PART_NEXT], (Plug){kind, i}), true, name,
                     err));
        }
    }
    return OK;
}

// No part may have keys or values of a layer that PART_FIRST does not give.
static Status indices_check(const PartShape *shape, const PartPlugs *plugs, size_t layers, Error *err) {
    for (size_t i = 0; i < shape->input_count; i++)
        if (plugs->inputs[i].index >= 2 * layers)
            return FAIL(err, ERR_UNSUPPORTED, "%s takes '%s', but the first step gives keys and values of %zu layers",
                        shape->name, shape->inputs[i].name, layers);
    for (size_t i = 0; i < shape->output_count; i++)
        if (plugs->wanted[i] && plugs->outputs[i].index >= 2 * layers)
            return FAIL(err, ERR_UNSUPPORTED, "%s gives '%s', but the first step gives keys and values of %zu layers",
                        shape->name, shape->outputs[i], layers);
    return OK;
}

Status parts_read(Arena *arena, const PartShape shapes[PART_COUNT], PartPlugs ret_plugs[PART_COUNT], size_t *ret_layers,
                  Error *err) {
    size_t layers = 0;
    for (SeqPart part = 0; part < PART_COUNT; part++) {
        ret_plugs[part] = (PartPlugs){0};
        TRY(part_read(arena, part, &shapes[part], &ret_plugs[part], err));
        TRY(part_check(part, &shapes[part], &ret_plugs[part], err));
    }
    for (size_t i = 0; i < shapes[PART_FIRST].output_count; i++) {
        const Plug *plug = &ret_plugs[PART_FIRST].outputs[i];
        if (ret_plugs[PART_FIRST].wanted[i] && plug->kind >= PLUG_SELF && plug->index / 2 >= layers)
            layers = plug->index / 2 + 1;
    }
    if (!layers)
        return need(&shapes[PART_FIRST], false, false, "present.0.decoder.key", err);
    TRY(layers_check(shapes, ret_plugs, layers, err));
    for (SeqPart part = PART_FIRST; part < PART_COUNT; part++)
        TRY(indices_check(&shapes[part], &ret_plugs[part], layers, err));
    *ret_layers = layers;
    return OK;
}

Status seq2seq_file_find(Arena *arena, const char *folder, const char *const *names, const char **ret_path,
                         Error *err) {
    const char *below = path_join(arena, folder, "onnx", err);
    TRY_NEW(below);
    const char *folders[] = {folder, below};
    *ret_path = NULL;
    for (size_t i = 0; names[i]; i++)
        for (size_t f = 0; f < 2; f++) {
            const char *path = path_join(arena, folders[f], names[i], err);
            TRY_NEW(path);
            if (path_kind(path) == PATH_FILE) {
                *ret_path = path;
                return OK;
            }
        }
    return OK;
}
