// SPDX-License-Identifier: Apache-2.0
// Small models in other clothes: folders with changed settings and weights, and what a model computes for one item.
#pragma once

#include <sys/stat.h>

#include "base/scratch.h"
#include "format/checkpoint.h"
#include "format/safetensors/safetensors.h"
#include "model/model.h"

#define MICRO "tests/golden/model/micro"

enum { VARIANT_MOST_TENSORS = 128 };

static inline char *source_path(Arena *arena, const char *path) {
    Error err;
    const char *root = getenv("HONE_SOURCE");
    ck_assert_msg(root != NULL, "HONE_SOURCE must name the folder of the sources");
    char *joined = path_join(arena, root, path, &err);
    ck_assert_ptr_nonnull(joined);
    return joined;
}

static inline json_t *json_of(Arena *arena, const char *folder, const char *name) {
    Error err;
    json_t *value = NULL;
    CHECK_OK(json_read(arena, path_join(arena, folder, name, &err), false, &value, &err));
    return value;
}

static inline void json_write(Scratch *scratch, const char *folder, const char *name, const json_t *value) {
    Error err;
    char *text = json_dumps(value, JSON_ENCODE_ANY);
    ck_assert_ptr_nonnull(text);
    CHECK_OK(file_replace(path_join(&scratch->arena, folder, name, &err), text, strlen(text), &err));
    free(text);
}

// A new folder in the scratch folder with the config.json of `base` (below the sources), members of `changes` put over
// it; null in `changes` removes a member.
static inline char *variant_folder(Scratch *scratch, const char *name, const char *base, const char *changes) {
    char *folder = scratch_path(scratch, name);
    ck_assert_int_eq(mkdir(folder, 0777), 0);
    json_t *config = json_deep_copy(json_of(&scratch->arena, source_path(&scratch->arena, base), "config.json"));
    json_t *over = json_loads(changes, JSON_REJECT_DUPLICATES, NULL), *value;
    ck_assert_msg(over != NULL, "not JSON: %s", changes);
    const char *key;
    json_object_foreach(over, key, value) {
        if (json_is_null(value))
            json_object_del(config, key);
        else
            json_object_set(config, key, value);
    }
    json_write(scratch, folder, "config.json", config);
    json_decref(over);
    json_decref(config);
    return folder;
}

static inline void variant_link(Scratch *scratch, const char *folder, const char *name, const char *target) {
    Error err;
    char *path = path_join(&scratch->arena, folder, name, &err);
    ck_assert_int_eq(symlink(source_path(&scratch->arena, target), path), 0);
}

// A copy of the tensors of a checkpoint below the sources, to be changed.
static inline Bundle variant_tensors(Arena *arena, const char *path) {
    Error err;
    Checkpoint checkpoint;
    CHECK_OK(checkpoint_open(arena, source_path(arena, path), &checkpoint, &err));
    ck_assert_uint_le(checkpoint.bundle.count, VARIANT_MOST_TENSORS);
    Bundle bundle = {arena_array(arena, VARIANT_MOST_TENSORS + 8, sizeof(Tensor), &err), checkpoint.bundle.count};
    memcpy(bundle.tensors, checkpoint.bundle.tensors, bundle.count * sizeof(Tensor));
    return bundle;
}

static inline Tensor *variant_tensor(Bundle *bundle, const char *name) {
    for (size_t i = 0; i < bundle->count; i++)
        if (strcmp(bundle->tensors[i].name, name) == 0)
            return &bundle->tensors[i];
    ck_abort_msg("no tensor '%s'", name);
}

static inline void variant_write(Scratch *scratch, const char *folder, const char *name, const Tensor *tensors,
                                 size_t count) {
    Error err;
    CHECK_OK(safetensors_write(path_join(&scratch->arena, folder, name, &err), tensors, count, NULL, NULL, &err));
}

typedef struct Item {
    const int32_t *ids, *mask, *decoder; // mask NULL: all attended
    size_t length, target;
} Item;

typedef struct Outputs {
    float *states; // [length, width], in the order of the source
    float *logits; // [target, vocabulary]
    size_t state_count, logit_count;
} Outputs;

// Attended positions first, masked ones after them, as a session wants them.
static inline size_t item_order(const Item *item, int32_t *ids, int32_t *positions) {
    size_t used = 0, keys = 0;
    for (int attended = 1; attended >= 0; attended--) {
        for (size_t t = 0; t < item->length; t++)
            if ((!item->mask || item->mask[t]) == attended) {
                ids[used] = item->ids[t];
                positions[used++] = (int32_t)t;
            }
        keys = attended ? used : keys;
    }
    return keys;
}

// One item through a session of its own; all target tokens in one decode step, or one step for each (`by_token`).
static inline Outputs item_run_kept(Arena *arena, const Model *model, CpuLevel level, const Item *item, bool by_token,
                                    KvKind kv_kind) {
    Error err;
    const SessionModel *m = model_session(model);
    Kernels *kernels = arena_array(arena, 1, sizeof *kernels, &err);
    kernels_pick(level, kernels);
    Outputs out = {.state_count = item->length * m->width, .logit_count = item->target * m->vocabulary};
    out.states = arena_array(arena, out.state_count, sizeof(float), &err);
    out.logits = arena_array(arena, out.logit_count, sizeof(float), &err);
    int32_t ids[64], positions[64], slots[64];
    DecodeRow rows[64];
    ck_assert(item->length <= 64 && item->target <= 64);
    Session *session = NULL;
    Source *source = NULL;
    SessionLimits limits = {
        .most_rows = item->target, .most_source_tokens = item->length, .pages = 8, .kv_kind = kv_kind};
    CHECK_OK(session_new(m, kernels, NULL, &limits, &session, &err));
    CHECK_OK(session_open(session, item->length, item->target, &source, &err));
    size_t keys = item_order(item, ids, positions);
    EncodeItem encode = {source, ids, positions, item->length, keys};
    const float *states = NULL;
    CHECK_OK(session_encode(session, &encode, 1, &states, &err));
    for (size_t t = 0; t < item->length; t++)
        memcpy(out.states + (size_t)positions[t] * m->width, states + t * m->width, m->width * sizeof *states);
    size_t each = by_token ? 1 : item->target;
    for (size_t first = 0; first < item->target; first += each) {
        for (size_t t = first; t < first + each; t++) {
            slots[t] = source_take_slot(source);
            rows[t] = (DecodeRow){source, item->decoder[t], (int32_t)t, slots, t + 1, true};
        }
        float *logits = NULL;
        CHECK_OK(session_decode(session, rows + first, each, &logits, &err));
        memcpy(out.logits + first * m->vocabulary, logits, each * m->vocabulary * sizeof *logits);
    }
    session_close(session, source);
    session_free(session);
    return out;
}

static inline Outputs item_run(Arena *arena, const Model *model, CpuLevel level, const Item *item, bool by_token) {
    return item_run_kept(arena, model, level, item, by_token, KV_F32);
}

// The outputs of the model at `path` for one fixed item.
static inline Outputs fixed_outputs(Arena *arena, const char *path, bool passes) {
    static const int32_t ids[] = {0, 5, 17, 40, 8, 8, 31, 22, 4, 3, 9, 33, 12, 25, 6, 7, 19, 2};
    static const int32_t decoder[] = {2, 0, 14, 14, 30, 9, 27};
    static const Item item = {ids, NULL, decoder, ARRAY_COUNT(ids), ARRAY_COUNT(decoder)};
    Error err;
    const Model *model = NULL;
    CHECK_OK(model_open(arena, path, passes, &model, &err));
    return item_run(arena, model, cpu_detect(), &item, false);
}

static inline bool outputs_equal(const Outputs *a, const Outputs *b) {
    return a->logit_count == b->logit_count && a->state_count == b->state_count &&
           memcmp(a->states, b->states, a->state_count * sizeof(float)) == 0 &&
           memcmp(a->logits, b->logits, a->logit_count * sizeof(float)) == 0;
}
