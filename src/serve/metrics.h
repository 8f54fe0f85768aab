// SPDX-License-Identifier: Apache-2.0
// Metrics: what the server counts, and how it tells: Prometheus text at /metrics. One row in metrics.def each, with its
// kind, unit, help, labels and buckets, and the name that vLLM has for the same figure where the meaning is the same.
// Any thread may count; counting takes no lock.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"

typedef struct Metrics Metrics; // of one served model, or of the server

typedef enum MetricId {
#define METRIC(id, kind, name, alias, unit, label, buckets, help) id,
#include "serve/metrics.def"
#undef METRIC
    METRIC_COUNT
} MetricId;

// `model`: the value of the label model_name.
MUST_CHECK Status metrics_new(const char *model, Metrics **ret_metrics, Error *err);
void metrics_free(Metrics *metrics);

// `label`: which of the values that the metric's row lists; 0 where it has no label of its own.
void metrics_add(Metrics *metrics, MetricId id, size_t label, double amount); // counters
void metrics_set(Metrics *metrics, MetricId id, size_t label, double value);  // gauges
void metrics_observe(Metrics *metrics, MetricId id, size_t label, double value); // histograms

double metrics_value(const Metrics *metrics, MetricId id, size_t label); // of a counter or gauge; a histogram's count
double metrics_sum(const Metrics *metrics, MetricId id, size_t label);   // of a histogram
// The q-quantile (0..1) of what a histogram saw since `since` was filled (metrics_mark), by interpolation in its
// buckets; NaN where it saw nothing.
typedef struct MetricsMark MetricsMark;
MUST_CHECK Status metrics_mark_new(MetricsMark **ret_mark, Error *err);
void metrics_mark_free(MetricsMark *mark);
void metrics_mark(const Metrics *metrics, MetricsMark *mark);
double metrics_quantile(const Metrics *metrics, const MetricsMark *since, MetricId id, size_t label, double q);

// All of it, of several models: HELP and TYPE once per name.
void metrics_print(const Metrics *const *metrics, size_t count, Buffer *out);
