// SPDX-License-Identifier: Apache-2.0
// Writing a model again, as a folder in Hugging Face layout:
//
//     config.json         the source's, with the members changed that the new weights need
//     model.safetensors   the weights as weights.h has them
//     hone.json           how it was made, and hashes (compress/manifest.h)
//     all else            tokenizer files and settings, byte for byte, unless another text was given for one
//
// Tensors pass through one by one: memory stays small whatever the model's size. The folder appears whole or not at
// all.
#pragma once

#include "compress/config_text.h"
#include "compress/loaders.h"
#include "text/trim.h"

typedef struct Rewrite {
    const Model *model; // opened without passes
    WeightList weights;
    WeightScheme scheme;     // of every real tensor, for torch_dtype; STORE_AS_IS: what the source says
    const ConfigEdit *edits; // of config.json
    size_t edit_count;
    const TrimmedFile *files; // with another text than the source's, or none; config.json is edited from it then
    size_t file_count;
    // Reads the folder back before it takes its place; NULL: nothing to read.
    Status (*check)(void *context, const char *folder, Error *err);
    void *check_context;
    const char *recipe;        // of hone.json: a JSON object
    const LayerShapes *shapes; // of the layers as they are written; NULL: the model's own
    const char *size;          // what hone.json calls the new size: "quantized_bytes"
    WorkMeter meter;
} Rewrite;

typedef struct RewriteReport {
    size_t original_bytes, written_bytes; // of the files of weights
    WeightList weights;
    Loader loaders[LOADER_COUNT];
} RewriteReport;

// Writes `output`, which must not exist, or be empty, or have been written by hone. The report lives in `arena`.
// Besides errors of reading and writing: ERR_FORMAT for weights that are not finite.
MUST_CHECK Status rewrite_model(Arena *arena, const Rewrite *rewrite, const char *output, RewriteReport *ret_report,
                                Error *err);

// Settings and tokenizer files: small texts and SentencePiece models, but none that tell of the source's weights, nor
// config.json.
bool rewrite_copies(const char *name);
