// SPDX-License-Identifier: Apache-2.0
// The small models of the engine's goldens, and copies of them with INT8 weights.
#pragma once

#include "compress/quantize.h"
#include "model/variants.h"

#define TINY_BART "tests/golden/engine/tiny_bart"
#define TINY_MBART "tests/golden/engine/tiny_mbart"

// The model at `path` with INT8 weights, in the scratch folder.
static inline char *quantized_copy(Scratch *scratch, const char *path, const char *name) {
    Error err;
    char *output = scratch_path(scratch, name);
    QuantizeOptions options = {.scheme = STORE_INT8};
    RewriteReport report;
    CHECK_OK(quantize_model(&scratch->arena, path, output, &options, &report, &err));
    return output;
}
