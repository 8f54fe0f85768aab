// SPDX-License-Identifier: Apache-2.0
// The scores of many pairs as means with bootstrap intervals: `hone rouge --aggregate`, and the figures of `hone eval`.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"
#include "measure/rouge.h"
#include "measure/statistics.h"

typedef enum RougeMeasure { ROUGE_PRECISION, ROUGE_RECALL, ROUGE_FMEASURE, ROUGE_MEASURE_COUNT } RougeMeasure;

// Zero-initialised but for `options`; the columns grow with the samples.
typedef struct RougeAggregate {
    RougeOptions options;
    size_t samples;
    Buffer columns[ROUGE_TYPES_MOST][ROUGE_MEASURE_COUNT]; // of doubles
} RougeAggregate;

void rouge_aggregate_init(RougeAggregate *aggregate, const RougeOptions *options);
void rouge_aggregate_done(RougeAggregate *aggregate);

// Takes the scores of one pair, in the options' order. On failure (ERR_MEMORY) nothing was taken.
MUST_CHECK Status rouge_aggregate_add(RougeAggregate *aggregate, const RougeScore *scores, Error *err);

// The samples' values of the k-th type, [samples], until the next add: for statistics_paired_loss.
const double *rouge_aggregate_values(const RougeAggregate *aggregate, size_t k, RougeMeasure measure);

// The interval of the k-th type; samples > 0.
Interval rouge_aggregate_interval(const RougeAggregate *aggregate, size_t k, RougeMeasure measure, uint64_t seed);

// Appends {"samples":n,"rouge1":{"precision":{"mean":…,"low":…,"mid":…,"high":…},…},…}. ERR_FORMAT when there are no
// samples, else failures are the buffer's.
MUST_CHECK Status rouge_aggregate_print(const RougeAggregate *aggregate, uint64_t seed, Buffer *out, Error *err);
