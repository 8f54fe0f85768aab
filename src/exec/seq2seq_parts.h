// SPDX-License-Identifier: Apache-2.0
// What the inputs and outputs of exec/seq2seq.h's parts are, by their names.
#pragma once

#include "exec/seq2seq.h"

typedef enum PlugKind {
    PLUG_IDS,
    PLUG_MASK,
    PLUG_STATES,
    PLUG_BRANCH,
    PLUG_LOGITS,
    PLUG_SELF,  // keys and values of the tokens so far: 2 * layer, and 1 for values
    PLUG_CROSS, // of the source's
    PLUG_KINDS
} PlugKind;

typedef struct Plug {
    PlugKind kind;
    size_t index; // of keys and values
} Plug;

typedef struct PartPlugs {
    Plug *inputs, *outputs; // [input_count], [output_count] of the shape
    bool *wanted;           // [output_count]
    bool branches;          // takes use_cache_branch
} PartPlugs;

// `layers` of the decoder, from what PART_FIRST gives. ERR_UNSUPPORTED naming what is missing, unknown or of another
// type.
MUST_CHECK Status parts_read(Arena *arena, const PartShape shapes[PART_COUNT], PartPlugs ret_plugs[PART_COUNT],
                             size_t *ret_layers, Error *err);
