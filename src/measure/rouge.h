// SPDX-License-Identifier: Apache-2.0
// ROUGE: how much of a reference text a predicted text has, by n-grams and by longest common subsequences.
// C.-Y. Lin, "ROUGE: a Package for Automatic Evaluation of Summaries", ACL workshop 2004. Scores equal those of the
// Python package rouge_score 0.1.2 (which equals ROUGE-1.5.5 there), stemmed or not, except that the tokenizers
// `unicode` and `char` are our own.
//
//     RougeOptions options = {.stem = true};
//     TRY(rouge_types_parse("rouge1,rougeL", &options, err));
//     TRY_NEW(scorer = rouge_new(&options, err));
//     TRY(rouge_score(scorer, targets, target_count, prediction, scores, err));   // scores[0] is rouge1, scores[1]
//     rougeL rouge_free(scorer);
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/file.h"
#include "base/status.h"
#include "measure/rouge_tokens.h"

// ROUGE-N is the value N.
typedef enum RougeType {
    ROUGE_N_FIRST = 1,
    ROUGE_N_LAST = 9,
    ROUGE_L,
    ROUGE_LSUM, // as ROUGE_L, sentence by sentence; sentences end at newlines
    ROUGE_TYPE_END
} RougeType;

enum { ROUGE_TYPES_MOST = ROUGE_TYPE_END - 1 };

typedef struct RougeScore {
    double precision; // of the prediction's units, how many the target has
    double recall;    // of the target's units, how many the prediction has
    double fmeasure;  // their harmonic mean; 0 where both are 0
} RougeScore;

typedef struct RougeOptions {
    RougeType types[ROUGE_TYPES_MOST];
    size_t type_count;
    bool stem; // Porter, English
    RougeTokenizer tokenizer;
} RougeOptions;

// "rouge1" … "rouge9", "rougeL", "rougeLsum"; NULL for no type.
const char *rouge_type_name(RougeType type);

// Sets types and type_count from names separated by commas; a repeated name counts once. ERR_USAGE for another name.
MUST_CHECK Status rouge_types_parse(const char *names, RougeOptions *ret_options, Error *err);

// The types that summaries are usually judged by.
#define ROUGE_TYPES_USUAL "rouge1,rouge2,rougeL,rougeLsum"

// A scorer keeps its working memory from pair to pair: once it has seen the largest pair, scoring allocates nothing.
// One thread at a time; threads use a scorer each.
typedef struct RougeScorer RougeScorer;
RougeScorer *rouge_new(const RougeOptions *options, Error *err);
void rouge_free(RougeScorer *scorer);
const RougeOptions *rouge_options(const RougeScorer *scorer);

// Scores a prediction against one or more targets into ret_scores[type_count], in the order of the options. With
// several targets each type takes the target with the best F, the first of equals. ERR_FORMAT without a target;
// ERR_LIMIT for texts beyond rouge_tokens.h's limits, or which all together would take more than about two seconds (two
// texts of 100,000 words do not).
MUST_CHECK Status rouge_score(RougeScorer *scorer, const Bytes *targets, size_t target_count, Bytes prediction,
                              RougeScore *ret_scores, Error *err);
