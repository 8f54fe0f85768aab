// SPDX-License-Identifier: Apache-2.0
// Match: holds a family's packed graph against an imported one over padded tensors, from the results backwards, and
// finds for every weight of the family what stands in its place.
//
//     family (no data)                          imported, passes run
//     %h = layer_norm %x, @norm.w, @norm.b      LayerNormalization(X, W, B)    h is H  =>  x is X, norm.w is W, ...
//     %x = add %r, %y                           Add(Y, R)                      which is which: by what makes them
//     %y = linear %z, @fc2.w, @fc2.b            Add(MatMul(Z, W), B), Gemm, MatMulInteger with its scales
//     attention %q, %k, %v                      Attention(Q, K, V, mask)       the mask is run later (onnx_probe.h)
//
// Passes have brought the imported graph into ONNX's fused operators (levels.h, only_onnx). Names in it mean nothing.
#pragma once

#include "graph/names.h"
#include "model/onnx_weights.h"

typedef enum MatchRole { ROLE_SOURCE, ROLE_PAST, ROLE_CROSS } MatchRole;

// An attention of the imported graph: whom its mask must let see whom.
typedef struct MatchedMask {
    MatchRole role;
    Value mask; // absent: none
    bool causal;
} MatchedMask;

// A lookup by place: rows must be `offset`, offset + 1, ... for each sequence.
typedef struct MatchedPlaces {
    Value rows;
    int64_t offset;
} MatchedPlaces;

// A weight of the family and what was found. `name`: of the family.
typedef struct MatchedWeight {
    const char *name;
    size_t rows, columns; // columns 0: a vector
    StoredWeight stored;
} MatchedWeight;

// K and V of a layer's cross-attention, in the decoder's graph.
typedef struct MatchedCross {
    Value k, v;
} MatchedCross;

typedef struct Match {
    Arena *arena;
    const char *family, *name; // for messages: "bart", "file 'x.onnx'"
    const char *ids;           // the input that token ids come in by, in the graph that is matched now
    MatchedWeight *weights;    // room for each of the family's constants
    size_t weight_count;
    NameTable names;    // of those
    MatchedMask *masks; // of the graph that is matched now, each once; room for each of the family's nodes
    size_t mask_count;
    MatchedPlaces *places; // likewise
    size_t places_count;
    MatchedCross *cross; // [decoder layers]
    size_t cross_count;
} Match;

// Matches `graph`'s first result (its only one) with `found`. ret_states (may be NULL) is what a head's input, the
// states, is. ERR_UNSUPPORTED telling where the two part.
MUST_CHECK Status match_family(Match *match, const Graph *graph, Value found, Value *ret_states, Error *err);

// What was found for a weight of the family; NULL: nothing.
const MatchedWeight *matched_weight(const Match *match, const char *name);

// Matches the K and V of an encoder's graph with those that match_family found in the decoder's; all must read
// ret_states.
MUST_CHECK Status match_cross(Match *match, const Graph *encode, Value *ret_states, Error *err);
