// SPDX-License-Identifier: Apache-2.0
// Evaluate: a model over a data set, sample by sample: outputs, their scores against the references, and the time it
// took.
#pragma once

#include "engine/runtime.h"
#include "measure/data.h"
#include "measure/rouge_aggregate.h"
#include "measure/statistics.h"

typedef struct EvaluateSettings {
    GenerationOptions generation;
    RougeOptions rouge;
    size_t batch;
    // Called after each sample, in order: its output (text, or NULL without a tokenizer) for --predictions and
    // progress.
    Status (*on_output)(void *context, size_t index, const int32_t *ids, size_t count, const char *text, size_t bytes,
                        Error *err);
    void *context;
} EvaluateSettings;

// Scores of all samples. For labelled data `exact` and `token_error` [samples]; else the ROUGE columns.
typedef struct Evaluation {
    size_t samples;
    bool labelled;
    RougeAggregate rouge;
    Buffer exact, token_error; // of doubles; the mean of token_error is all edit distances over all labels (start, end
                               // and padding left out on both sides)
    double ms_per_sample;      // tokenizing and generating, scoring left out
    RuntimeSettings runtime;   // as it ran
    EngineCounts counts;       // of the runtime so far
    char outputs_sha256[65];   // of the outputs' ids, one JSON array a line
} Evaluation;

// Runs the whole set. Sources that are too long are cut. ERR_FORMAT names the sample that cannot be run.
MUST_CHECK Status evaluate(Runtime *runtime, const DataSet *data, const EvaluateSettings *settings, Evaluation *ret,
                           Error *err);
void evaluation_done(Evaluation *evaluation);
