// SPDX-License-Identifier: Apache-2.0
// Sensitivity: what each layer of a model costs when it is made smaller, one layer and one change at a time: how far
// its output moves, what the teacher-forced loss loses, what ROUGE loses, and what is saved.
//
//     references decoded by force -> base loss;  at each layer: the state before it is kept, and for each change the
//     rest alone is run again with that layer changed (what lies before it has not moved)
//
// Losses and errors are the bits that a model gives which was written with that one change and run a token at a time.
// They are the same for any number of threads. What is measured goes into the cache change by change, and comes from
// there the next time.
#pragma once

#include "base/cpu.h"
#include "compress/evaluations.h"
#include "compress/weights.h"
#include "measure/data.h"

enum { SENSITIVITY_LEAST_TOKENS = 64 }; // of all references together, below which a loss means nothing

typedef enum SensitivityKind {
    CHANGE_SCHEME, // the weight in another scheme: fp16, bf16, int8, int4 (scales fit), nf4; linears and word tables
    CHANGE_MASK,   // its smallest values set to zero (l1-unstructured), `amount` of them; linears
    CHANGE_UNITS,  // neurons or heads of the smallest joint norm left out, `amount` of them, rounded as prune rounds
    CHANGE_LAYER,  // a whole layer of a side left out (passed through), where the side has others
    CHANGE_KINDS
} SensitivityKind;

typedef struct SensitivityRow {
    const char *layer;  // "encoder.layers.0.fc1", "encoder.layers.0.ffn", "encoder.layers.0.self_attn",
                        // "encoder.layers.0", "shared"
    const char *change; // "int8", "nf4", "zeros 0.3", "neurons 0.3", "heads 0.5", "dropped"
    SensitivityKind kind;
    WeightScheme scheme; // CHANGE_SCHEME
    double amount;       // CHANGE_MASK, CHANGE_UNITS: as asked for
    double output_error; // |y' - y|^2 / |y|^2 of what the layer gives (a head: its logits); NaN where it gives nothing
                         // of its own
    double loss_change;  // of the teacher-forced loss, nats a token
    double rouge_change; // relative loss of mean ROUGE-L (labelled rows: of exact matches) on the subset; NaN: not
                         // asked for, not measured by the deadline, or the model as it is has nothing to lose
    double bytes_saved;  // of the file of weights: by the scheme, by a bitmap of zeros, by all that goes with units
    double ms_saved;     // a sample at batch 1. Schemes: measured over all layers in that scheme at once, a token a
                         // step. Masks: 0. Units: their share of the measured time of the weights that they lie in.
                         // Layers: the measured time of all their steps
} SensitivityRow;

typedef struct Sensitivity {
    SensitivityRow *rows; // layers in the order in which they run, changes in the order asked for
    size_t count;
    size_t samples, rouge_samples, tokens; // tokens: of the references
    double base_loss, base_rouge, base_ms; // of the model as it is; base_rouge NaN: not measured; base_ms 0: late
} Sensitivity;

typedef struct SensitivityOptions {
    const char *model;
    const DataSet *data;
    const char *data_name; // for messages
    size_t samples;        // at most, for losses; 0: 64
    size_t rouge_samples;  // at most; 0: no ROUGE
    const WeightScheme *schemes;
    size_t scheme_count;
    const double *amounts;
    size_t amount_count;
    size_t group;        // of int4; 0: the largest of 128, 64 and 32 that divides. Where none does, int4 has no row
    size_t memory_bytes; // of activations, keys and values of samples that run together, about; 0: 1 GiB
    int threads;         // 0: 1
    CpuLevel level;
    const Evaluations *cache; // rows that are there are not measured again; NULL: none
    const char *cache_key;    // of the model, the data and the build; NULL: without a cache
    WorkMeter meter;          // told of changes
    uint64_t deadline_ns;     // of base/clock.h; 0: none. What was not measured by then has no row
} SensitivityOptions;

// The result lives in `arena`. ERR_UNSUPPORTED for a model that is quantized already; ERR_USAGE for other schemes and
// for amounts that do not lie between 0 and 1; ERR_FORMAT for weights or losses that are not finite, for rows without a
// reference and references that are too short; else as of model_open, token_samples_make and evaluations_find.
MUST_CHECK Status sensitivity_measure(Arena *arena, const SensitivityOptions *options, Sensitivity *ret_sensitivity,
                                      Error *err);

// {"samples", "rouge_samples", "tokens", "base_loss", "base_rouge", "base_ms", "rows": [{"layer", "change", "kind":
// "scheme"|"zeros"|"units"|"layer", "scheme" or "amount", "output_error", "loss_change", "rouge_change", "bytes_saved",
// "ms_saved"}]}; null for what is not known. The caller's; NULL without memory.
json_t *sensitivity_json(const Sensitivity *sensitivity);
