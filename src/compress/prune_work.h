// SPDX-License-Identifier: Apache-2.0
// One run of prune_model, passed between its steps.
#pragma once

#include "compress/groups.h"
#include "compress/prune.h"

enum { PRUNE_MOST_EDITS = 3 };

typedef struct Prune {
    Arena *arena;
    const ModelInfo *info;
    const PruneOptions *options;
    Rewrite rewrite; // its weights are what the steps change
    LayerShapes shapes;
    size_t encoder_ffn, decoder_ffn; // as config.json will say
    ConfigEdit edits[PRUNE_MOST_EDITS];
    PruneReport report;
} Prune;

// Whether options->only takes a tensor.
MUST_CHECK Status prune_takes(const Prune *prune, const char *tensor_name, bool *ret_takes, Error *err);

// The weight that a tensor of the source becomes.
Weight *prune_weight(const Prune *prune, const Tensor *source);

MUST_CHECK Status prune_part(Prune *prune, const char *tensor_name, size_t units, size_t removed, Error *err);

// Sets a number in config.json.
MUST_CHECK Status prune_edit(Prune *prune, const char *key, size_t value, Error *err);

// The steps, each for some methods.
MUST_CHECK Status prune_masks(Prune *prune, Error *err);
MUST_CHECK Status prune_groups(Prune *prune, Error *err);
MUST_CHECK Status prune_layers(Prune *prune, Error *err);
