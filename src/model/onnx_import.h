// SPDX-License-Identifier: Apache-2.0
// Import: a model of a known family out of ONNX files, as the tensors that its checkpoint would have. What runs then is
// the family's own packed graph; the files' graphs are only compared with it (onnx_match.h, onnx_probe.h).
//
//     FOLDER/[onnx/]encoder_model.onnx, and decoder_model_merged.onnx or decoder_model.onnx     as optimum writes them
//     FILE.onnx: input_ids, attention_mask, decoder_input_ids -> logits                         both sides in one graph
//
// config.json beside them says which family it is and of what sizes; settings and tokenizer are read as for any model.
#pragma once

#include "arch/arch.h"
#include "format/onnx/onnx.h"

typedef struct OnnxImport {
    Bundle tensors;
    json_t *config;     // the folder's; tie_word_embeddings false where the files hold several tables
    const char *form;   // "ONNX", "ONNX int8": for people
    const char **files; // all that weights lie in, each once
    Bytes *contents;    // of those, mapped
    size_t file_count;
    const char **map_files; // the file of each map: each side has maps of its own
    Bytes *maps;
    size_t map_count;
} OnnxImport;

// The paths of the encoder's and decoder's graphs (the same for one file) that a MODEL path means; NULL where it means
// a checkpoint, which goes first where a folder has both. ERR_FORMAT where a folder has an encoder and no decoder.
MUST_CHECK Status onnx_import_find(Arena *arena, const char *path, const char **ret_encoder, const char **ret_decoder,
                                   Error *err);

// `input` has config.json and no tensors. `upright`: matrices row by row, as a checkpoint has them; else they lie as in
// the files, for running. ERR_UNSUPPORTED telling where the graphs differ from the family's;
// the errors of onnx_read.
//
// The same of models that were read; both may be the same one. Their graphs are rewritten.
MUST_CHECK Status onnx_import_models(Arena *arena, const OnnxModel *encoder, const OnnxModel *decoder,
                                     const ArchInput *input, bool upright, OnnxImport *ret_import, Error *err);
MUST_CHECK Status onnx_import(Arena *arena, const char *encoder, const char *decoder, const ArchInput *input,
                              bool upright, OnnxImport *ret_import, Error *err);
