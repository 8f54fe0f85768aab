// SPDX-License-Identifier: Apache-2.0
// Writing a model again with less in it (rewrite.h). Masks set values to zero and leave every shape as it was: files
// and speed stay the same. Cuts leave neurons, heads or layers out, with all that belongs to them (groups.h), and make
// the model smaller and faster.
//
// Sizes are uniform, the same in all layers of a side, so that config.json says them and transformers loads the model;
// or ragged: units are ranked over all layers together, by their score over their layer's norm of scores, and hone.json
// holds the sizes (arch/shapes.h). Neurons that stay are multiples of 32 (of 16 in layers of less than 512), whole
// vectors and panels of the kernels. Layers that stay are spaced evenly, the first and the last among them, as
// distilled summarizers have them (Shleifer and Rush 2020, "Pre-trained Summarization Distillation").
#pragma once

#include "base/cpu.h"
#include "compress/mask.h"
#include "compress/rewrite.h"

typedef enum PruneMethod {
    PRUNE_LN_STRUCTURED,
    PRUNE_L1_UNSTRUCTURED,
    PRUNE_HEADS,
    PRUNE_FFN,
    PRUNE_LAYERS,
    PRUNE_COUNT
} PruneMethod;

typedef struct PruneOptions {
    PruneMethod method;
    PruneAmount amount; // of each tensor, layer or side; ragged and global: of all together
    double n;           // ln-structured: the norm's order, above 0, or -INFINITY
    int dim;            // ln-structured: 0 rows, 1 columns
    bool global;        // l1-unstructured: over all weights together
    bool two_of_four;   // l1-unstructured: two of each four values go, whatever `amount` says
    bool ragged;        // heads and neurons
    bool bitmap;        // masks: zeros kept as bitmaps, which hone alone reads, where that is smaller
    const char *data;   // heads and neurons: JSON lines (measure/data.h) to score them on; NULL: by their weights
    size_t samples;     // of them at most; 0: 128
    int threads;        // 0: 1
    CpuLevel level;
    const char *only; // a pattern (scheme.h's): weights, layers or groups with a tensor that matches; NULL: all
    WorkMeter meter;
} PruneOptions;

// What became of one tensor's values, or of one group's units.
typedef struct PrunedPart {
    const char *name; // "model.encoder.layers.0.fc1"
    size_t units, removed;
} PrunedPart;

typedef struct PruneReport {
    RewriteReport written;
    const char *unit; // of the parts: "values", "neurons", "heads", "layers"
    PrunedPart *parts;
    size_t part_count;
    size_t units, removed; // of all parts
    bool masked;           // zeros were written, nothing was left out
} PruneReport;

const char *prune_method_name(PruneMethod method);
// ERR_USAGE for a name that means nothing.
MUST_CHECK Status prune_method_parse(const char *name, PruneMethod *ret_method, Error *err);

// Reads the MODEL `path` and writes `output` as rewrite_model does. ERR_UNSUPPORTED for a model that is quantized
// already and for what a mode cannot say; ERR_USAGE for patterns that match nothing and amounts that leave nothing.
MUST_CHECK Status prune_model(Arena *arena, const char *path, const char *output, const PruneOptions *options,
                              PruneReport *ret_report, Error *err);
