// SPDX-License-Identifier: Apache-2.0
// Which programs load a model, told by the form of its weights.
#pragma once

#include <stdbool.h>

// What of a model's weights decides it.
typedef struct WeightForm {
    bool int8_linears, int8_tables;
    bool described; // config.json has the quantization_config that tells of the int8 weights
} WeightForm;

typedef struct Loader {
    const char *name;
    bool takes;
    const char *reason;
} Loader;

enum { LOADER_COUNT = 4 };

// hone, transformers, transformers with compressed-tensors, and the tensor format that vLLM reads.
void loaders_judge(WeightForm form, Loader ret_loaders[LOADER_COUNT]);
