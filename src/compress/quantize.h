// SPDX-License-Identifier: Apache-2.0
// Writing a model again with smaller weights (rewrite.h): real tensors as F16, BF16 or F32; packed ones as encode.h has
// them, which is compressed-tensors' W8A8 (activations per token at run time, or static) and W4A16, and bitsandbytes'
// NF4. config.json tells of them by quantization_config or torch_dtype.
#pragma once

#include "compress/rewrite.h"
#include "compress/static_input.h"

struct QuantizeOptions {
    WeightScheme scheme;     // of the linears in the layers; of every real tensor where it packs none
    WeightScheme embeddings; // of the word table and the head; STORE_AS_IS: they follow `scheme`
    const KeepRule *keeps;   // the first that matches a tensor decides it
    size_t keep_count;
    size_t group;          // of int4: 32, 64 or 128; 0: 128
    Int4Rule int4_rule;    // where int4's scales come from
    bool double_quant;     // of nf4's scales
    bool loadable;         // nothing that transformers cannot load: tables of a packed model as fp16
    bool gptq;             // int4's codes from calibration (compress/gptq_weights.h), by the data of `statics`
    StaticOptions statics; // of int8-static
    WorkMeter meter;
};

// Reads the MODEL `path` and writes `output`, which must not exist, or be empty, or have been written by hone. The
// report lives in `arena`. Besides errors of opening and writing: ERR_FORMAT for weights that are not finite, ERR_USAGE
// for rules that match nothing, ERR_UNSUPPORTED for a source that is packed already where it would have to change.
MUST_CHECK Status quantize_model(Arena *arena, const char *path, const char *output, const QuantizeOptions *options,
                                 RewriteReport *ret_report, Error *err);
