// SPDX-License-Identifier: Apache-2.0
// From the unpickled tree to a bundle: find the state dict, take its tensors, say what was left.
#include <string.h>

#include "base/utf8.h"
#include "format/torch/file.h"

enum { MOST_NESTING = 4, MOST_NAME_BYTES = 4096 };

static const char packed_suffix[] = "_packed_params._packed_params"; // (weight, bias) of a quantized linear layer
static const char packed_weight_suffix[] = "_packed_params._packed_weight"; // of a quantized embedding

static bool ends_with(Bytes text, const char *suffix) {
    size_t length = strlen(suffix);
    return text.size >= length && memcmp(text.data + text.size - length, suffix, length) == 0;
}

// The key of a dict's i-th item; empty for keys that are no text.
static Bytes key_of(const PickleValue *dict, size_t i) {
    return dict->items[i]->kind == PICKLE_TEXT ? dict->items[i]->text : (Bytes){0};
}

static bool is_packed(Bytes key, const PickleValue *value) {
    return ends_with(key, packed_suffix) && torch_is_tensor(pickle_item(value, 0), NULL);
}

// Tensors of the bundle that one item of the state dict becomes.
static size_t tensors_in(Bytes key, const PickleValue *value) {
    bool quantized = false;
    if (is_packed(key, value))
        return 4;
    return !torch_is_tensor(value, &quantized) ? 0 : quantized ? 3 : 1;
}

static bool holds_tensors(const PickleValue *dict) {
    for (size_t i = 0; i + 1 < dict->count; i += 2)
        if (tensors_in(key_of(dict, i), dict->items[i + 1]))
            return true;
    return false;
}

static const char *const wrappers[] = {"state_dict", "model_state_dict", "model",  "module",
                                       "net",        "network",          "weights"};

// A dict under one of the usual keys, if it can lead to tensors.
static const PickleValue *wrapped(const PickleValue *dict, bool deeper) {
    for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++) {
        const PickleValue *value = pickle_get(dict, wrappers[i]);
        if (value && value->kind == PICKLE_DICT && (holds_tensors(value) || (deeper && wrapped(value, false))))
            return value;
    }
    return NULL;
}

// Why a dict without tensors cannot be used: the object that may have held them, by name.
static Status nothing_found(const PickleValue *dict, Error *err) {
    for (size_t i = 0; i + 1 < dict->count; i += 2) {
        Bytes key = key_of(dict, i);
        const PickleGlobal *global = pickle_callee(dict->items[i + 1]);
        if (global && global->meaning == GLOBAL_FOREIGN)
            return FAIL(err, ERR_UNSUPPORTED,
                        "no state dict: entry '%.*s' is an object of '%s.%s'; save model.state_dict() instead",
                        (int)(key.size > 64 ? 64 : key.size), (const char *)key.data, global->module, global->name);
    }
    return FAIL(err, ERR_FORMAT, "no state dict: the pickle's dict of %zu entries holds no tensors", dict->count / 2);
}

static Status state_find(const PickleValue *root, const PickleValue **ret, Error *err) {
    const PickleGlobal *global = pickle_callee(root);
    if (global)
        return FAIL(err, ERR_UNSUPPORTED,
                    "the file holds an object of '%s.%s', not a state dict; save model.state_dict() instead",
                    global->module, global->name);
    if (root->kind != PICKLE_DICT)
        return FAIL(err, ERR_FORMAT, "the file holds %s, expected a dict of tensors", pickle_kind_name(root));
    const PickleValue *dict = root, *inner;
    for (int depth = 0; depth < MOST_NESTING && (inner = wrapped(dict, true)); depth++)
        dict = inner;
    if (!holds_tensors(dict)) {
        const PickleValue *only = NULL;
        size_t found = 0;
        for (size_t i = 0; i + 1 < dict->count; i += 2)
            if (dict->items[i + 1]->kind == PICKLE_DICT && holds_tensors(dict->items[i + 1])) {
                only = dict->items[i + 1];
                found++;
            }
        if (found > 1)
            return FAIL(
                err, ERR_FORMAT,
                "the file holds %zu dicts of tensors and none under a usual key such as 'state_dict' or 'model'",
                found);
        if (!only)
            return nothing_found(dict, err);
        dict = only;
    }
    *ret = dict;
    return OK;
}

// prefix + text, where the prefix is `key` without `cut` bytes at its end. Checked: a name is valid UTF-8 without NUL.
static Status name_make(TorchFile *torch, Bytes key, size_t cut, const char *text, const char **ret, Error *err) {
    const char *bytes = (const char *)key.data;
    if (key.size > MOST_NAME_BYTES)
        return FAIL(err, ERR_LIMIT, "a tensor's name has %zu bytes, at most %d are read", key.size, MOST_NAME_BYTES);
    if (!key.size || memchr(bytes, '\0', key.size) || utf8_valid_prefix(bytes, key.size) != key.size)
        return FAIL(err, ERR_FORMAT, "a tensor's name is empty or no UTF-8: '%.*s'", (int)key.size,
                    key.size ? bytes : "");
    *ret = arena_format(torch->arena, err, "%.*s%s", (int)(key.size - cut), bytes, text);
    return *ret ? OK : err->status;
}

static Status quantized_add(TorchFile *torch, Bytes key, size_t cut, const char *weight, TorchTensor *tensor,
                            Bundle *bundle, Error *err) {
    TRY(name_make(torch, key, cut, weight, &tensor->values.name, err));
    bundle->tensors[bundle->count++] = tensor->values;
    if (!tensor->quantized)
        return OK;
    TRY_NEW(tensor->scales.name = arena_format(torch->arena, err, "%s.scales", tensor->values.name));
    TRY_NEW(tensor->zero_points.name = arena_format(torch->arena, err, "%s.zero_points", tensor->values.name));
    bundle->tensors[bundle->count++] = tensor->scales;
    bundle->tensors[bundle->count++] = tensor->zero_points;
    return OK;
}

static Status entry_add(TorchFile *torch, Bytes key, const PickleValue *value, Bundle *bundle, Error *err) {
    TorchTensor tensor;
    if (is_packed(key, value)) {
        size_t cut = sizeof packed_suffix - 1;
        TRY(torch_tensor_make(torch, pickle_item(value, 0), &tensor, err));
        TRY(quantized_add(torch, key, cut, "weight", &tensor, bundle, err));
        const PickleValue *bias = pickle_item(value, 1);
        if (!bias || bias->kind == PICKLE_NONE)
            return OK;
        TRY(torch_tensor_make(torch, bias, &tensor, err));
        if (tensor.quantized)
            return FAIL(err, ERR_FORMAT, "its bias is quantized");
        TRY(name_make(torch, key, cut, "bias", &tensor.values.name, err));
        bundle->tensors[bundle->count++] = tensor.values;
        return OK;
    }
    TRY(torch_tensor_make(torch, value, &tensor, err));
    bool packed = tensor.quantized && ends_with(key, packed_weight_suffix);
    return quantized_add(torch, key, packed ? sizeof packed_weight_suffix - 1 : 0, packed ? "weight" : "", &tensor,
                         bundle, err);
}

// An item of the state dict that is no tensor: refused where it looks like one of a kind unknown here, else noted.
static Status other_note(TorchFile *torch, Bytes key, const PickleValue *value, Error *err) {
    int shown = (int)(key.size > 64 ? 64 : key.size);
    const char *name = key.size ? (const char *)key.data : "";
    const PickleGlobal *global = pickle_callee(value);
    if (global && global->meaning != GLOBAL_FOREIGN && global->meaning != GLOBAL_PLAIN)
        return FAIL(err, ERR_FORMAT, "entry '%.*s' is a damaged call of '%s.%s'", shown, name, global->module,
                    global->name);
    if (global && strncmp(global->module, "torch", 5) == 0 && strncmp(global->name, "_rebuild", 8) == 0)
        return FAIL(err, ERR_UNSUPPORTED, "entry '%.*s' is a tensor made by '%s.%s', which hone does not read", shown,
                    name, global->module, global->name);
    if (ends_with(key, "_packed_params.dtype"))
        return OK;
    return notes_add(torch->notes, torch->arena, err, "entry '%.*s' is %s, no tensor: skipped", shown, name,
                     pickle_kind_name(value));
}

// Drops the scale and zero point of a quantized layer's activations; torch writes 1 and 0 there for dynamic
// quantization.
static Status activations_drop(TorchFile *torch, Bundle *bundle, Error *err) {
    size_t kept = 0;
    Bundle all = {bundle->tensors, bundle->count};
    bool *drop = arena_array(torch->work, all.count, sizeof *drop, err);
    TRY_NEW(drop);
    for (size_t i = 0; i < all.count; i++) {
        Bytes name = {(const unsigned char *)all.tensors[i].name, strlen(all.tensors[i].name)};
        static const char *const ends[] = {"scale", "zero_point"};
        for (size_t e = 0; e < 2; e++) {
            if (!ends_with(name, ends[e]) || all.tensors[i].bytes > 8)
                continue;
            char weight[MOST_NAME_BYTES + 32];
            snprintf(weight, sizeof weight, "%.*sweight.scales", (int)(name.size - strlen(ends[e])),
                     all.tensors[i].name);
            drop[i] |= bundle_find(&all, weight) != NULL;
        }
    }
    for (size_t i = 0; i < all.count; i++)
        if (!drop[i])
            bundle->tensors[kept++] = all.tensors[i];
    bundle->count = kept;
    return OK;
}

Status torch_state_read(TorchFile *torch, Bundle *ret_bundle, Error *err) {
    const PickleValue *dict = NULL;
    TRY(state_find(torch->pickle.root, &dict, err));
    size_t count = 0;
    for (size_t i = 0; i + 1 < dict->count; i += 2)
        count += tensors_in(key_of(dict, i), dict->items[i + 1]);
    if (count > TORCH_MOST_TENSORS)
        return FAIL(err, ERR_LIMIT, "%zu tensors, at most %d are read", count, TORCH_MOST_TENSORS);
    Bundle bundle = {0};
    TRY_NEW(bundle.tensors = arena_array(torch->arena, count, sizeof *bundle.tensors, err));
    for (size_t i = 0; i + 1 < dict->count; i += 2) {
        Bytes key = key_of(dict, i);
        if (!tensors_in(key, dict->items[i + 1]))
            TRY(other_note(torch, key, dict->items[i + 1], err));
        else if (entry_add(torch, key, dict->items[i + 1], &bundle, err) != OK)
            return error_context(err, "tensor '%.*s'", (int)(key.size > 200 ? 200 : key.size),
                                 key.size ? (const char *)key.data : "");
    }
    TRY(bundle_seal(&bundle, err));
    TRY(activations_drop(torch, &bundle, err));
    for (size_t i = 0; i < torch->pickle.foreign_count; i++)
        TRY(notes_add(torch->notes, torch->arena, err, "the pickle names '%s.%s', which is not needed: skipped",
                      torch->pickle.foreign[i]->module, torch->pickle.foreign[i]->name));
    *ret_bundle = bundle;
    return OK;
}
