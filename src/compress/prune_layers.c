// SPDX-License-Identifier: Apache-2.0
// Whole layers: those that stay are numbered anew.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compress/prune_work.h"

enum { GONE = -1 };

// One side: what the names of its tensors begin with, and the new number of each layer.
typedef struct Side {
    bool decoder;
    const char *name;    // of a tensor in its first layer
    size_t number_at;    // where the layer's number begins in it
    int64_t *renumbered; // [layers]; GONE
    size_t layers, kept;
} Side;

// The layer that a tensor belongs to, and where its name goes on behind the number.
static bool layer_of(const Side *side, const char *name, size_t *ret_layer, const char **ret_rest) {
    if (strncmp(name, side->name, side->number_at) != 0)
        return false;
    char *end;
    if (!strspn(name + side->number_at, "0123456789"))
        return false;
    *ret_layer = strtoull(name + side->number_at, &end, 10);
    *ret_rest = end;
    return *end == '.' && *ret_layer < side->layers;
}

// Which layers the pattern takes.
static Status candidates_mark(const Prune *prune, const Side *side, bool *ret_marks, size_t *ret_count, Error *err) {
    const WeightList *list = &prune->rewrite.weights;
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        size_t layer;
        const char *rest;
        bool takes;
        if (!layer_of(side, list->items[i].source->name, &layer, &rest) || ret_marks[layer])
            continue;
        TRY(prune_takes(prune, list->items[i].source->name, &takes, err));
        ret_marks[layer] = takes;
        count += takes;
    }
    *ret_count = count;
    return OK;
}

// `kept` of `count` candidates stay, evenly spaced from the first to the last.
static bool stays(size_t candidate, size_t count, size_t kept) {
    for (size_t i = 0; i < kept; i++)
        if ((size_t)nearbyint(kept == 1 ? 0 : (double)(i * (count - 1)) / (double)(kept - 1)) == candidate)
            return true;
    return false;
}

static Status side_choose(const Prune *prune, Side *side, size_t *ret_candidates, Error *err) {
    const char *name = side->decoder ? "decoder" : "encoder";
    bool *marks = arena_array(prune->arena, side->layers, sizeof *marks, err);
    TRY_NEW(marks);
    TRY_NEW(side->renumbered = arena_array(prune->arena, side->layers, sizeof *side->renumbered, err));
    size_t count, gone = 0, candidate = 0;
    TRY(candidates_mark(prune, side, marks, &count, err));
    char what[96];
    snprintf(what, sizeof what, "the %s has %zu layers to choose from", name, count);
    if (count)
        TRY(prune_amount_of(&prune->options->amount, count, what, &gone, err));
    if (gone == side->layers)
        return FAIL(err, ERR_USAGE, "--amount removes all %zu layers of the %s, and one has to stay", gone, name);
    for (size_t i = 0; i < side->layers; i++) {
        bool kept = !marks[i] || stays(candidate, count, count - gone);
        candidate += marks[i];
        side->renumbered[i] = kept ? (int64_t)side->kept++ : GONE;
    }
    *ret_candidates += count;
    return OK;
}

static Status side_find(const Groups *groups, bool decoder, size_t layers, Side *ret_side, Error *err) {
    for (size_t g = 0; g < groups->count; g++) {
        const Group *group = &groups->items[g];
        if (group->decoder != decoder || group->layer != 0)
            continue;
        *ret_side = (Side){.decoder = decoder, .name = group->members[0].tensor->name, .layers = layers};
        return group_number_find(group, &ret_side->number_at, err);
    }
    return FAIL(err, ERR_UNSUPPORTED, "the %s has no layers that could be told apart", decoder ? "decoder" : "encoder");
}

// Drops and renames the weights of one side.
static Status side_apply(Prune *prune, const Side *side, Error *err) {
    WeightList *list = &prune->rewrite.weights;
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        Weight weight = list->items[i];
        size_t layer;
        const char *rest;
        if (layer_of(side, weight.source->name, &layer, &rest)) {
            if (side->renumbered[layer] == GONE)
                continue;
            TRY_NEW(weight.name = arena_format(prune->arena, err, "%.*s%lld%s", (int)side->number_at, side->name,
                                               (long long)side->renumbered[layer], rest));
        }
        list->items[kept++] = weight;
    }
    list->count = kept;
    LayerShape *shapes = side->decoder ? prune->shapes.decoder : prune->shapes.encoder;
    for (size_t i = 0; i < side->layers; i++) {
        char name[600];
        snprintf(name, sizeof name, "%.*s%zu.", (int)side->number_at, side->name, i);
        TRY(prune_part(prune, name, 1, side->renumbered[i] == GONE, err));
        if (side->renumbered[i] != GONE)
            shapes[side->renumbered[i]] = shapes[i];
    }
    *(side->decoder ? &prune->shapes.decoder_layers : &prune->shapes.encoder_layers) = side->kept;
    return OK;
}

static Status config_change(Prune *prune, const Side *encoder, const Side *decoder, Error *err) {
    const SizeKeys *keys = prune->info->keys;
    json_t *config;
    char *path = path_join(prune->arena, prune->info->folder, "config.json", err);
    TRY_NEW(path);
    TRY(json_read(prune->arena, path, false, &config, err));
    if (encoder->kept != encoder->layers) {
        TRY(prune_edit(prune, keys->encoder_layers, encoder->kept, err));
        if (json_object_get(config, keys->layers))
            TRY(prune_edit(prune, keys->layers, encoder->kept, err));
    }
    if (decoder->kept != decoder->layers)
        TRY(prune_edit(prune, keys->decoder_layers, decoder->kept, err));
    return OK;
}

Status prune_layers(Prune *prune, Error *err) {
    Groups groups = {0};
    Side encoder = {0}, decoder = {0};
    size_t candidates = 0;
    TRY(groups_find(prune->arena, prune->rewrite.model, &groups, err));
    TRY(side_find(&groups, false, prune->info->encoder_layers, &encoder, err));
    TRY(side_find(&groups, true, prune->info->decoder_layers, &decoder, err));
    TRY(side_choose(prune, &encoder, &candidates, err));
    TRY(side_choose(prune, &decoder, &candidates, err));
    if (!candidates)
        return FAIL(err, ERR_USAGE, "--only: the pattern '%s' takes no layer of model '%s'", prune->options->only,
                    prune->info->path);
    TRY(side_apply(prune, &encoder, err));
    TRY(side_apply(prune, &decoder, err));
    weights_sort(&prune->rewrite.weights);
    return config_change(prune, &encoder, &decoder, err);
}
