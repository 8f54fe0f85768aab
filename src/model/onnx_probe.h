// SPDX-License-Identifier: Apache-2.0
// Probe: what an imported graph computes of ids and masks alone is run on a small example, two sequences of which one
// is padded, and must be what packed sequences take for granted: places count up from the offset; a source's tokens see
// its tokens and no padding; a decoder's see what is before them.
#pragma once

#include "model/onnx_match.h"

typedef struct ProbeInputs {
    const char *source_ids, *source_mask, *target_ids; // names of inputs; a graph need not have all
    int32_t padding;                                   // an id that decoders may look for
} ProbeInputs;

// The masks and places that `match` has now, of `graph`. ERR_UNSUPPORTED telling what differs.
MUST_CHECK Status onnx_probe(const Match *match, const Graph *graph, const ProbeInputs *inputs, Error *err);
