// SPDX-License-Identifier: Apache-2.0
// Which programs load a model, told by the form of its weights.
#pragma once

#include <stdbool.h>

// What of a model's weights decides it.
typedef struct WeightForm {
    bool int8, int4, blocks; // linears in each; blocks: bitsandbytes' nf4 and fp4
    bool int8_static;        // linears in int8 whose activations have one scale
    bool factors;            // which are multiplied column by column before, hone's own
    bool ragged;             // layers of sizes of their own, which hone.json tells
    bool sparse;             // zeros as bitmaps (tensor/sparse.h)
    bool tables;             // packed tables, in whatever form
    bool graphs;             // they lie in ONNX graphs
    bool described;          // config.json has the quantization_config that tells of the packed weights
} WeightForm;

typedef struct Loader {
    const char *name;
    bool takes;
    const char *reason;
} Loader;

enum { LOADER_COUNT = 5 };

// hone, transformers, transformers with compressed-tensors, the tensor format that vLLM reads, and transformers with
// bitsandbytes.
void loaders_judge(WeightForm form, Loader ret_loaders[LOADER_COUNT]);
