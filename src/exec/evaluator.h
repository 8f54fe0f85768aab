// SPDX-License-Identifier: Apache-2.0
// Evaluator: runs graphs of tensor operators, whose shapes only a run knows. Nodes run one after another, each on all
// threads; every value has memory of its own, taken from a pool and given back when its last reader is done, so that a
// second run of the same shapes allocates nothing.
//
//     Evaluator *evaluator;
//     TRY(evaluator_new(graph, &settings, &evaluator, err));
//     TRY(evaluator_run(evaluator, inputs, &results, err));      // inputs in the order of the graph's input nodes
//     ... results[0 .. graph->return_count) until the next run
//     evaluator_free(evaluator);
//
// Plans (exec/plan.h) are what packed graphs run in; this is for imported graphs as they are.
#pragma once

#include "op/op.h"

typedef struct Evaluator Evaluator;

typedef struct EvaluatorSettings {
    const Kernels *kernels;
    Pool *pool;         // NULL: this thread
    size_t limit_bytes; // of values in memory at a time; 0: none
} EvaluatorSettings;

// The graph must outlive it and not change. ERR_UNSUPPORTED naming an operator that cannot run on whole tensors;
// ERR_FORMAT where weights do not fit their operator.
MUST_CHECK Status evaluator_new(const Graph *graph, const EvaluatorSettings *settings, Evaluator **ret_evaluator,
                                Error *err);
void evaluator_free(Evaluator *evaluator); // NULL is fine

// Inputs must have the types that the graph's input nodes have, as far as those are known: ERR_FORMAT naming the input.
// Results may look into inputs and into the graph's constants. After a failure the evaluator can run again.
MUST_CHECK Status evaluator_run(Evaluator *evaluator, const Tensor *inputs, const Tensor **ret_results, Error *err);

// Bytes of values held at most, and of weights prepared.
size_t evaluator_peak_bytes(const Evaluator *evaluator);
size_t evaluator_packed_bytes(const Evaluator *evaluator);
