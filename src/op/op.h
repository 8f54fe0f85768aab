// SPDX-License-Identifier: Apache-2.0
// Operators: one file each in this room, one row each in graph/ops.def. An OpDef holds the shape rule, what has to be
// made ready when a plan is built (packed weights), the run over tiles, and the cost for explain and the roofline.
#pragma once

#include "base/pool.h"
#include "graph/graph.h"
#include "kernel/kernels.h"

// A value while a plan runs: rows of `columns` elements, row_stride elements apart (a split's outputs are views).
// i32 ids have columns 1. Rank-2 values are [rows, columns]; rank-1 values [rows].
typedef struct Slab {
    void *data;
    size_t rows, columns, row_stride;
} Slab;

// The tokens of one source in an encode step: rows [first_row, first_row + rows) of the packed values, of which the
// first `keys` are attended to (the rest are masked positions that still attend).
typedef struct SourceSpan {
    size_t first_row, rows, keys;
    const int32_t *cross_pages; // [ceil(keys / 16)] pages of the pool for its cross-attention K/V
} SourceSpan;

// One row of a decode step.
typedef struct DecodeSpan {
    const int32_t *past_slots; // slots of the pool holding its past, this row's own slot last
    size_t past_count;
    const int32_t *cross_pages;
    size_t cross_keys;
} DecodeSpan;

// K/V pool of the session: per layer pages of 16 slots, one token's K and V each. A page holds rows, slot after slot,
// or blocks, head after head: kernel/attention.h.
typedef struct KvPool {
    unsigned char *base;
    KvKind kind;
    size_t width; // heads * head_dim
    size_t slot_bytes;
    size_t layer_bytes; // between layers
} KvPool;

// Bytes of a page: 16 slots.
static inline size_t kv_page_bytes(const KvPool *kv) {
    return KV_BLOCK_TOKENS * kv->slot_bytes;
}

// What operators see of the step they run in.
typedef struct StepContext {
    const SourceSpan *sources; // encode steps
    size_t source_count;
    const DecodeSpan *rows; // decode steps, one per row
    size_t row_count;
    const KvPool *kv;
} StepContext;

typedef struct OpRun {
    const Node *node;
    const Slab *inputs; // constants that the operator prepared have data NULL
    Slab *outputs;
    void *state;   // what prepare returned
    void *scratch; // scratch_bytes(...) bytes, 64-byte aligned, shared by nodes; per-thread parts are the operator's
                   // own split
    const Kernels *kernels;
    Pool *pool;
    const StepContext *step;
} OpRun;

typedef struct PackedBlock PackedBlock; // op/packed.h

typedef struct OpPrepare {
    const Node *node;
    const Kernels *kernels;
    Pool *pool;
    Arena *arena;             // the plan's
    size_t *ret_packed_bytes; // adds what it packed
    const PackedBlock *block; // where packed weights have their places; NULL: each in memory of its own
    // The node that alone reads this one's only output, or NULL. Where *ret_takes_reader is set to true, what this
    // node's evaluate gives is what the reader would give, and the reader is not run.
    const Node *reader;
    bool *ret_takes_reader;
} OpPrepare;

typedef struct OpCost {
    double operations;   // multiplications and additions of one run
    double weight_bytes; // constants read
    double other_bytes;  // activations read and written
} OpCost;

// One run of a tensor operator: op/tensor/evaluate.h.
typedef struct Evaluation Evaluation;

// Rows of graph/ops.def have infer and run; rows of graph/tensor_ops.def have evaluate, and infer and prepare where
// they can tell or make ready something before the values are there.
typedef struct OpDef {
    // Types of the outputs from inputs and attributes. ERR_FORMAT sentence naming the node when they do not fit.
    Status (*infer)(const Node *node, ValueType *ret_types, Error *err);
    // Optional: packs weights and copies small constants at plan time; *ret_state is handed to run.
    Status (*prepare)(const OpPrepare *args, void **ret_state, Error *err);
    // Optional: which kernel the prepared state runs, for explain.
    const char *(*kernel_name)(const void *state);
    // Optional: bytes of scratch a run needs for that many rows and threads.
    size_t (*scratch_bytes)(const Node *node, size_t rows, int threads, size_t most_keys);
    void (*run)(const OpRun *run);
    Status (*evaluate)(Evaluation *run, Error *err);
    // Optional. `rows` is the number of rows of the first output (or input); `keys` the keys attention sees.
    OpCost (*cost)(const Node *node, size_t rows, size_t keys);
    bool view;   // outputs are views of input 0: no buffer, no run
    bool effect; // kept by dead-code removal
} OpDef;

// The definition of an operator; every row of ops.def has one.
const OpDef *op_def(OpCode op);

// Fills node->types by the shape rule; with types already there, checks that they are equal.
MUST_CHECK Status op_infer(Node *node, Error *err);

// graph_verify plus every shape rule.
MUST_CHECK Status op_verify(const Graph *graph, Error *err);
