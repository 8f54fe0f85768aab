// SPDX-License-Identifier: Apache-2.0
// Norms: what passes about LayerNormalization and its kin share.
#pragma once

#include "pass/tensor/match.h"

// y / sqrt(mean(z^2) + epsilon) * gain along the last axis; gain is a constant vector.
typedef struct RootMeanSquare {
    Value y, z, gain;
    double epsilon;
    MatchNodes nodes;
} RootMeanSquare;

// Of the product that `value` is. `y` may be given (it may be a product itself); absent: it is z.
bool norms_match(Value value, Value y, RootMeanSquare *ret);

// A LayerNormalization, SimplifiedLayerNormalization or RMSNormalization over the last axis with constant vectors, of
// which only the first output is read.
typedef struct Norm {
    bool centered;
    Value x, gain, bias; // bias: absent where there is none
    double epsilon;
} Norm;

bool norms_read(const Graph *graph, const Node *node, Norm *ret);

// `sum`, which `norm` normalizes, becomes `spec` in the place of both: its first output is the norm's, its last
// (output `sum_output`) the sum, if that is read elsewhere; outputs between get names of their own. Types of spec are
// those of outputs in between, or NULL: not known; its output_count those there must be, 0: one.
MUST_CHECK Status norms_join(Graph *graph, Node *sum, const Node *norm, bool sum_is_read, size_t sum_output,
                             const NodeSpec *spec, Error *err);
