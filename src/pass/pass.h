// SPDX-License-Identifier: Apache-2.0
// Passes: rewrites of a graph into a better one that computes the same. One file and one row of passes.def each.
//
// A pass never runs a model: what it has to know beyond the graph comes in as data. It leaves a graph that op_verify
// accepts, does nothing when run a second time, and skips constants without values where it needs values. After a
// failure the graph is well-formed, but may be half rewritten.
#pragma once

#include "graph/graph.h"

// Which constants get which scheme: the first rule whose pattern (pass/pattern.h) matches a constant's name decides;
// SCHEME_DENSE leaves it as it is, as does no rule at all.
typedef struct QuantizeRule {
    const char *pattern;
    Scheme scheme;
} QuantizeRule;

// All zero is a fine default.
typedef struct PassInputs {
    const QuantizeRule *rules; // quantize_weights
    size_t rule_count;
    // Larger constants are weights that stay as they lie: fold_tensors computes none, merge_constants compares none.
    // 0: any may be.
    size_t most_constant_bytes;
    bool verify;    // op_verify after each pass in release builds too (debug builds always do)
    Arena *scratch; // set by the runner, emptied after each pass
} PassInputs;

typedef Status PassRun(Graph *graph, const PassInputs *inputs, Error *err);

typedef struct PassInfo {
    const char *name, *summary;
    bool standard; // part of passes_run_standard
    PassRun *run;
} PassInfo;

// All passes, in the order in which they help each other.
const PassInfo *passes_all(size_t *ret_count);

// What happened in one pass; lives during the call.
typedef struct PassReport {
    const char *name;
    uint64_t spent_ns;
    bool changed;
    const char *text; // the graph after the pass, with small constants' values
} PassReport;
typedef void PassTrace(void *context, const PassReport *report);

// Runs the named passes one after another. ERR_USAGE for an unknown name, before anything is changed. `trace`, if not
// NULL, is told of each pass (and makes the runner print the graph before and after, to know whether it changed).
MUST_CHECK Status passes_run(Graph *graph, const char *const *names, size_t count, const PassInputs *inputs,
                             PassTrace *trace, void *context, Error *err);

// The standard passes, which every model goes through when it is opened.
MUST_CHECK Status passes_run_standard(Graph *graph, Error *err);
