// SPDX-License-Identifier: Apache-2.0
// From the packed graphs of an encoder-decoder (encode, decode, head: exec/session.h) to graphs of tensor operators
// over padded [batch, length] ids, in the parts, with the names and in the order, that Hugging Face's optimum loads:
//
//     part                 inputs -> outputs (i: decoder layers; keys and values are [batch, heads, length, head dim])
//     encoder_model        input_ids, attention_mask -> last_hidden_state
//     decoder_model        encoder_attention_mask, input_ids, encoder_hidden_states
//                          -> logits, present.i.{decoder,encoder}.{key,value}
//     decoder_with_past    encoder_attention_mask, input_ids, past_key_values.i.{decoder,encoder}.{key,value}
//                          -> logits, present.i.decoder.{key,value}
//     decoder_model_merged both: an If on the last input, use_cache_branch, chooses; what the branch with past gives
//     for
//                          the encoder's keys is of batch 0
//
// Nothing here knows a family: what bart.c or another writes is translated node by node.
#pragma once

#include "graph/graph.h"

typedef enum ExportPart {
    EXPORT_ENCODER,
    EXPORT_DECODER,
    EXPORT_DECODER_WITH_PAST,
    EXPORT_MERGED,
    EXPORT_PART_COUNT
} ExportPart;

extern const char *const export_part_names[EXPORT_PART_COUNT]; // "encoder", ...
extern const char *const export_part_files[EXPORT_PART_COUNT]; // "encoder_model.onnx", ...

// Sizes that a part's inputs have for good; 0: any, chosen at each run. A past may always be of any length.
typedef struct ExportSizes {
    int64_t batch, source, target;
} ExportSizes;

// A model's graphs as its family built them, before any pass.
typedef struct ExportSource {
    const Graph *encode, *decode, *head;
    int64_t opset;     // operators of later ones are written out
    bool only_onnx;    // without those of com.microsoft
    bool dequantize;   // int8 rows are made real, not multiplied as integers
    ExportSizes sizes; // not of the merged part: what its branch with a past gives for the encoder is of batch 0
} ExportSource;

// Builds one part in `arena`; weights stay where they lie, each one constant. F16 and BF16 are cast where they are
// used, int8 rows multiplied as integers (or dequantized), 4 bits multiplied by com.microsoft's MatMulNBits (int4) and
// MatMulBnb4 (NF4) or decoded by operators that any runtime has. ERR_UNSUPPORTED naming what has no form here:
// operators that passes make.
MUST_CHECK Status export_part(Arena *arena, const ExportSource *source, ExportPart part, Graph **ret_graph,
                              const char ***ret_output_names, Error *err);
