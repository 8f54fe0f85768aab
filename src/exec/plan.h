// SPDX-License-Identifier: Apache-2.0
// Plan: a graph made ready to run on this machine. Nodes in order, every intermediate an offset in one block (values
// whose lifetimes do not overlap share bytes), weights packed for the chosen kernels in parallel.
#pragma once

#include "op/op.h"

typedef struct Plan Plan;

typedef struct PlanSettings {
    const Kernels *kernels;
    Pool *pool;
    const size_t *most_dims; // for each of the graph's dimension variables, the largest value a run may bind
    size_t most_keys;        // the longest past or source an attention may see
    const PackedBlock
        *block; // holds or takes the packed weights, and outlives the plan; NULL: memory of the plan's own
} PlanSettings;

// Lives in `arena`, as do packed weights that are not in the settings' block. The graph must outlive it and not change.
MUST_CHECK Status plan_make(Arena *arena, const Graph *graph, const PlanSettings *settings, Plan **ret_plan,
                            Error *err);

// Where the caller writes input `index` (in the order of the graph's input nodes) before a run, and reads return
// `index` after it. Pointers stay the same for the plan's life.
void *plan_input(const Plan *plan, size_t index);
Slab plan_return(const Plan *plan, size_t index);

// Any other value of a node, between the step that makes it and the last one that reads it.
Slab plan_value(const Plan *plan, Value value);

// Runs all nodes with the given dimension values (each at most its most_dims) and step.
void plan_run(Plan *plan, const size_t *dims, const StepContext *step);

// The same in parts, for whoever runs some steps more than once: plan_bind, then steps [first, last) of plan_steps on
// what the block holds. What steps from `step` on read of what was made before it can be kept and put back; bytes are
// those of the dimensions bound last. `step` is a step that there is.
void plan_bind(Plan *plan, const size_t *dims);
void plan_run_steps(Plan *plan, size_t first, size_t last, const StepContext *step);
size_t plan_state_bytes(const Plan *plan, size_t step);
void plan_state_save(const Plan *plan, size_t step, void *ret_state);
void plan_state_restore(Plan *plan, size_t step, const void *state);

// From the next run on steps [first, last) do not run, and `to` is a copy of `from`, which is there when they begin and
// has its type; of what they would make nothing but `to` may be read behind them. Neither is a view. 0, 0: all run.
void plan_skip(Plan *plan, size_t first, size_t last, Value from, Value to);

// Constants of the plan's graph in another form: the nodes that read one of the same name as one of `constants` are
// prepared with that, in `arena`. Swapping puts what was prepared in the place of the plan's own, swapping again puts
// that back; the constants and the arena must live as long as it is in. Of two variants of one node the one that came
// in last goes out first. ERR_FORMAT where another constant does not fit, else as plan_make.
typedef struct PlanVariant PlanVariant;
MUST_CHECK Status plan_variant_make(Arena *arena, Plan *plan, const Constant *constants, size_t count,
                                    PlanVariant **ret_variant, Error *err);
void plan_variant_swap(PlanVariant *variant);

// Whoever wants to see values pass by. Called after each node that runs (inputs and views do not), with what it read
// and made: inputs that the operator prepared have data NULL. Values are valid during the call and may not be changed.
typedef struct PlanObserver {
    void (*seen)(void *context, const Graph *graph, const Node *node, const Slab *inputs, const Slab *outputs);
    void *context;
} PlanObserver;

// From the next run on; {0}: nobody.
void plan_observe(Plan *plan, PlanObserver observer);

// What explain shows, one per node that runs.
typedef struct PlanStep {
    const Node *node;
    const char *kernel;     // "avx512 f32 8x48", or ""
    size_t offset, bytes;   // of the first output in the block, at most_dims
    uint64_t spent_ns;      // over all runs while timing was on
    uint64_t runs, regions; // and pieces of work shared out to the pool's threads
} PlanStep;
size_t plan_steps(const Plan *plan, const PlanStep **ret_steps);
void plan_set_timing(Plan *plan, bool on);

// Bytes of the block, what it would be without sharing, and packed weights.
size_t plan_block_bytes(const Plan *plan);
size_t plan_unshared_bytes(const Plan *plan);
size_t plan_packed_bytes(const Plan *plan);
const Graph *plan_graph(const Plan *plan);
