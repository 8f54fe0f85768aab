// SPDX-License-Identifier: Apache-2.0
// Masks over the linears of the layers: zeros in the places of what was there.
#include "compress/prune_work.h"

typedef struct Masked {
    Weight **weights;
    const Tensor **tensors;
    Mask *masks;
    size_t count;
} Masked;

// Linears of the layers that the pattern takes, in the order of their names: that in which --global ranks equal values.
static Status weights_pick(Prune *prune, Masked *ret_masked, Error *err) {
    const WeightList *list = &prune->rewrite.weights;
    Masked masked = {0};
    TRY_NEW(masked.weights = arena_array(prune->arena, list->count, sizeof *masked.weights, err));
    TRY_NEW(masked.tensors = arena_array(prune->arena, list->count, sizeof *masked.tensors, err));
    TRY_NEW(masked.masks = arena_array(prune->arena, list->count, sizeof *masked.masks, err));
    for (size_t i = 0; i < list->count; i++) {
        Weight *weight = &list->items[i];
        bool takes = false;
        if (weight->role == ROLE_LINEAR)
            TRY(prune_takes(prune, weight->source->name, &takes, err));
        if (!takes)
            continue;
        masked.weights[masked.count] = weight;
        masked.tensors[masked.count++] = weight->source;
    }
    if (!masked.count)
        return FAIL(err, ERR_USAGE, "--only: the pattern '%s' takes no linear weight of the layers of model '%s'",
                    prune->options->only ? prune->options->only : "", prune->info->path);
    *ret_masked = masked;
    return OK;
}

static Status masks_make(Prune *prune, Masked *masked, Error *err) {
    const PruneOptions *options = prune->options;
    if (options->method == PRUNE_L1_UNSTRUCTURED && options->global)
        return mask_l1_unstructured(prune->arena, prune->info, masked->tensors, masked->count, &options->amount,
                                    masked->masks, err);
    for (size_t i = 0; i < masked->count; i++) {
        const Tensor *tensor = masked->tensors[i];
        Mask *mask = &masked->masks[i];
        if (options->method == PRUNE_LN_STRUCTURED)
            TRY(mask_ln_structured(prune->arena, prune->info, tensor, options->n, options->dim, &options->amount, mask,
                                   err));
        else if (options->two_of_four)
            TRY(mask_two_of_four(prune->arena, prune->info, tensor, mask, err));
        else
            TRY(mask_l1_unstructured(prune->arena, prune->info, &tensor, 1, &options->amount, mask, err));
    }
    return OK;
}

Status prune_masks(Prune *prune, Error *err) {
    Masked masked = {0};
    TRY(weights_pick(prune, &masked, err));
    TRY(masks_make(prune, &masked, err));
    for (size_t i = 0; i < masked.count; i++) {
        weight_set_change(masked.weights[i], (WeightChange){mask_apply, &masked.masks[i]});
        masked.weights[i]->sparse = prune->options->bitmap;
        TRY(prune_part(prune, masked.tensors[i]->name, masked.masks[i].elements, masked.masks[i].removed, err));
    }
    return OK;
}
