// SPDX-License-Identifier: Apache-2.0
// A weight matrix packed into panels for the kernel that will run it: what linear keeps of its weight.
#pragma once

#include "op/op.h"

typedef struct PackedWeights {
    const GemmKernel *gemm;
    WeightKind kind;
    size_t n, k;         // outputs, inputs
    size_t group;        // WEIGHT_Q4
    const int8_t *codes; // WEIGHT_Q4: [16]
    size_t panels, panel_bytes;
    const unsigned char *data; // [panels][panel_bytes]
} PackedWeights;

// The kind of kernel a constant's weights need. ERR_UNSUPPORTED naming the types that have one.
MUST_CHECK Status packed_kind(const Constant *weight, WeightKind *ret_kind, Error *err);

// True for kinds whose activations are quantized per token.
bool packed_takes_s8(WeightKind kind);

// Bytes of one weight row's elements and scales as stored, for costs.
double packed_row_bytes(const Constant *weight);

// Packs `weight` [n, k] on all threads into memory that lives as long as args->arena; the mapped original may leave
// memory afterwards.
MUST_CHECK Status packed_make(const OpPrepare *args, const Constant *weight, PackedWeights *ret_packed, Error *err);
