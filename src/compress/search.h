// SPDX-License-Identifier: Apache-2.0
// Search: the fastest or smallest version of a model whose loss on held-out data stays within a budget.
//
//     split           rows for tuning, for selection, and for the final figures (split.h)
//     fixed recipes   fp16, int8, ... each tried on the selection rows: quality against the original, and speed
//     sensitivity     what each layer costs under each scheme, on the tuning rows (sensitivity.h)
//     moves           the layers' schemes and cuts as one list, most saved for the least loss first; the longest
//                     beginning of it that stays within the budget is found by bisection
//     fall-backs      of fixed recipes beyond the budget: how few of their weights have to be of a milder scheme
//     further moves   K/V types, cuts, vocabulary, GPTQ: each kept where it helps and stays within
//     run-off         the best against the fixed recipes, in one longer run
//     confirming      on the final rows, in a sequence fixed before (search_confirm.c)
//     levers          what changes no output: screen, lookup, threads, batch; by time alone
//     final           all rows of the table, measured in turns, and scored on the final rows
//
// A candidate stays within the budget where the upper end of the paired 95 % interval of its mean loss does (the mean
// of ROUGE-1, 2 and L, or exact match). On the selection rows twice the half-width is asked for, so that the final
// rows, as many and never looked at before, agree in nine cases of ten. Every trial is kept in a file by the content of
// what was tried: an interrupted search goes on where it was, a repeated one is instant.
#pragma once

#include "base/json.h"
#include "compress/weights.h"
#include "engine/runtime.h"

typedef enum SearchGoal { SEARCH_LATENCY, SEARCH_THROUGHPUT, SEARCH_MEMORY, SEARCH_GOALS } SearchGoal;

typedef struct SearchOptions {
    const char *model, *output, *data; // a MODEL, a new folder, JSON lines with references
    const char *texts;                 // further texts for the vocabulary (measure/data.h); NULL: none
    double max_loss;                   // 0.01 for 1 %
    SearchGoal goal;
    double seconds;          // after which no new trial begins; 0: no limit
    size_t most_evaluations; // trials of quality; 0: no limit
    uint64_t seed;           // of the split
    int threads;
    CpuLevel level;
    // Changes the model's own generation options; `generation_text` names what it does, for the cache and the report.
    GenerationChange *generation;
    const void *generation_context;
    const char *generation_text;
    const char *command;                                        // as it was given, for the report
    const char *cache;                                          // file of evaluations; NULL: none
    void (*say)(void *context, const char *sentence);           // what has been found; may be NULL
    void (*tell)(void *context, uint64_t done, uint64_t total); // of the work at hand; may be NULL
    void *context;
} SearchOptions;

typedef struct SearchAnswer {
    bool met;             // the budget, shown on the final rows
    const char *sentence; // the answer in words
    json_t *evidence;     // compress/report.h's document
} SearchAnswer;

// "latency", "throughput", "memory"; SEARCH_GOALS for another name.
const char *search_goal_name(SearchGoal goal);
SearchGoal search_goal_find(const char *name);

// Searches, and writes `output` (which must not exist, be empty, or have been written by hone): where the budget is not
// met, the candidate that came nearest. Fails as its parts do; then nothing is written, and what was measured is kept.
// The answer lives in `arena`.
MUST_CHECK Status search_run(Arena *arena, const SearchOptions *options, SearchAnswer *ret_answer, Error *err);
