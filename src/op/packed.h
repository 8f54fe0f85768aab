// SPDX-License-Identifier: Apache-2.0
// Weight matrices packed into panels for the kernels that will run them: what linear keeps of its weight, and the block
// in which all matrices of some graphs lie one after another in the order in which they are used, so that a step reads
// memory forward, huge pages hold it, and one file can keep it (exec/engine_cache.h).
//
//   block:  | matrix 0: panel 0 | panel 1 | ... | matrix 1: panel 0 | ...      each matrix at a multiple of 64 bytes
#pragma once

#include "op/op.h"
#include "op/tiling.h"

struct PackedWeights {
    const GemmKernel *gemm;
    WeightKind kind;
    size_t n, k;         // outputs, inputs
    size_t group;        // WEIGHT_Q4
    const int8_t *codes; // WEIGHT_Q4: [16]
    size_t panels, panel_bytes;
    const unsigned char *data;   // [panels][panel_bytes]
    const LinearTiling *tilings; // [ROW_CLASSES], or NULL
};

// Where a matrix lies in a block.
typedef struct PackedPlace {
    const Constant *weight;
    size_t graph;         // the first that uses it
    PackedWeights packed; // without data
    size_t offset, bytes;
    LinearTiling tilings[ROW_CLASSES];
} PackedPlace;

struct PackedBlock {
    PackedPlace *places;
    size_t count;
    size_t bytes;
    const unsigned char *data; // where packed_make finds matrices, or NULL
    unsigned char *room;       // where it packs them; NULL where data holds them already
};

// The places of all matrices that the nodes of these graphs, in this order, multiply by; each matrix once, with the
// first kernel of its kind. No memory for the matrices yet. ERR_UNSUPPORTED as packed_kind.
MUST_CHECK Status packed_block_make(Arena *arena, const Kernels *kernels, const Graph *const *graphs,
                                    size_t graph_count, PackedBlock *ret_block, Error *err);

// Another kernel for a matrix; packed_block_lay_out has to follow before memory is made for the block.
void packed_place_set_kernel(PackedPlace *place, const GemmKernel *gemm);
void packed_block_lay_out(PackedBlock *block);

// Memory for the block, as long as the arena lives.
MUST_CHECK Status packed_block_map(Arena *arena, PackedBlock *block, Error *err);

// The kind of kernel a constant's weights need. ERR_UNSUPPORTED naming the types that have one.
MUST_CHECK Status packed_kind(const Constant *weight, WeightKind *ret_kind, Error *err);

// True for kinds whose activations are quantized per token.
bool packed_takes_s8(WeightKind kind);

// Bytes of one weight row's elements and scales as stored, for costs.
double packed_row_bytes(const Constant *weight);

// Packs `weight` [n, k] on all threads into its place in args->block, or, where it has none, into memory that lives as
// long as args->arena; the mapped original may leave memory afterwards. Where the block holds it already, nothing of
// the original is read.
MUST_CHECK Status packed_make(const OpPrepare *args, const Constant *weight, PackedWeights *ret_packed, Error *err);

// Memory for panels, as long as the arena lives.
MUST_CHECK Status packed_room(Arena *arena, size_t bytes, unsigned char **ret_data, Error *err);

// Packs rows [0, rows) of `weight` alone, with packed->gemm into ret_panels (gemm_packed_bytes of that many rows):
// samples for timing. One thread.
MUST_CHECK Status packed_sample(const PackedWeights *packed, const Constant *weight, size_t rows,
                                unsigned char *ret_panels, Error *err);
