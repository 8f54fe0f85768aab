// SPDX-License-Identifier: Apache-2.0
// Model: one opened model folder (or checkpoint file): settings, tokenizer, weights and graphs, immutable and
// shareable.
#pragma once

#include "arch/arch.h"
#include "exec/session.h"
#include "model/advice.h"
#include "model/generation.h"
#include "text/tokenizer.h"

// The token ids a family's generation needs; -1 where a model has none.
typedef struct SpecialIds {
    int32_t bos, eos, pad, decoder_start;
} SpecialIds;

typedef struct ModelInfo {
    const char *path;
    const char *folder;       // where its settings and tokenizer lie
    const char *const *files; // that hold its weights, the index of shards first where there is one
    const Bytes *contents;    // of those files, mapped
    size_t file_count;
    const char *family;       // "bart", "mbart"
    const char *quantization; // "none", "compressed-tensors int-quantized", ...
    int64_t parameters;       // tied weights once
    size_t weight_bytes;      // on disk
    size_t vocabulary, width, encoder_layers, decoder_layers, encoder_heads, decoder_heads, encoder_ffn, decoder_ffn;
    LayerShapes shapes;    // where layers differ from those
    const SizeKeys *keys;  // what config.json calls the sizes that pruning changes
    bool onnx;             // the weights lie in ONNX graphs (model/onnx_import.h)
    size_t sparse_tensors; // kept as bitmaps in the file (tensor/sparse.h), dense here
    size_t most_positions; // tokens a source or an output may have
    SpecialIds ids;
    RuntimeAdvice advice; // of hone.json; whoever runs the model follows it (engine/runtime.h)
} ModelInfo;

typedef struct Model Model;

// Opens what CLI.md calls a MODEL. Everything lives in `arena`. ERR_FORMAT, ERR_UNSUPPORTED (naming the config
// setting), ERR_IO, ERR_LIMIT. `passes` false leaves the graphs as the family built them, and every matrix row by row:
// for whoever changes a model rather than runs it.
MUST_CHECK Status model_open(Arena *arena, const char *path, bool passes, const Model **ret_model, Error *err);

// Everything but weights, for a folder whose weights another runtime reads (exec/seq2seq.h): config.json, generation
// options and tokenizer; graphs whose constants have no data; no tensors and no files. Errors as model_open's.
MUST_CHECK Status model_open_settings(Arena *arena, const char *path, const Model **ret_model, Error *err);

const ModelInfo *model_info(const Model *model);
const SessionModel *model_session(const Model *model);
const Bundle *model_tensors(const Model *model); // as the files name them
const GenerationOptions *
model_generation(const Model *model); // defaults: generation_config, then config, then Hugging Face's
// NULL when the folder has no tokenizer files.
const Tokenizer *model_tokenizer(const Model *model);
