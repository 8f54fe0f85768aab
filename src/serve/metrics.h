// SPDX-License-Identifier: Apache-2.0
// Metrics: what the server counts, and how it tells: Prometheus text at /metrics. One row in metrics.def each, with its
// kind, help, labels and buckets, and the name that vLLM has for the same figure where the meaning is the same. Any
// thread may count; counting takes no lock.
//
//     TRY(metrics_new("bart-samsum", &metrics, err));                // one per model, and metrics_new(NULL, ...) for
//                                                                    // what is the process's
//     metrics_add(metrics, METRIC_REQUESTS_CANCELLED, PHASE_QUEUED, 1);
//     metrics_observe(metrics, METRIC_TOKEN_SECONDS, 0, 0.004);
//     metrics_add(server, METRIC_HTTP_REQUESTS, metric_route_code(ROUTE_GENERATE, 200), 1);
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"

typedef struct Metrics Metrics; // of one served model, or of the server

typedef enum MetricId {
#define METRIC(id, scope, kind, name, alias, labels, buckets, help) id,
#include "serve/metrics.def"
#undef METRIC
    METRIC_COUNT
} MetricId;

// The values of each label, in the order of their numbers. LABELS_x(V) is V(number, "value") for each.
#define LABELS_ENDED(V) V(ENDED_STOP, "stop") V(ENDED_LENGTH, "length")
#define LABELS_PHASE(V) V(PHASE_QUEUED, "queued") V(PHASE_ENCODING, "encoding") V(PHASE_DECODING, "decoding")
#define LABELS_REJECTED(V)                                                                                             \
    V(REJECTED_QUEUE_FULL, "queue_full")                                                                               \
    V(REJECTED_TOKENS_FULL, "tokens_full")                                                                             \
    V(REJECTED_DRAINING, "draining")                                                                                   \
    V(REJECTED_KEY_LIMIT, "key_limit")                                                                                 \
    V(REJECTED_TOO_LONG, "too_long")                                                                                   \
    V(REJECTED_DEADLINE, "deadline")                                                                                   \
    V(REJECTED_MEMORY, "memory")
#define LABELS_PART(V)                                                                                                 \
    V(PART_ENCODE, "encode") V(PART_DECODE, "decode") V(PART_HEAD, "head") V(PART_SCHEDULE, "schedule")
#define LABELS_PAGES(V) V(PAGES_SELF, "self") V(PAGES_CROSS, "cross")
#define LABELS_RELOAD(V) V(RELOAD_DONE, "done") V(RELOAD_FAILED, "failed")
#define LABELS_REFUSED(V) V(REFUSED_FRAMING, "framing") V(REFUSED_LIMITS, "limits")
#define LABELS_BUILD(V) V(BUILD_THIS, HONE_VERSION)
#define LABELS_ROUTE(V)                                                                                                \
    V(ROUTE_GENERATE, "generate")                                                                                      \
    V(ROUTE_TOKENS, "tokens")                                                                                          \
    V(ROUTE_MODELS, "models")                                                                                          \
    V(ROUTE_HEALTH, "health")                                                                                          \
    V(ROUTE_METRICS, "metrics")                                                                                        \
    V(ROUTE_DASHBOARD, "dashboard")                                                                                    \
    V(ROUTE_ADMIN, "admin")                                                                                            \
    V(ROUTE_OTHER, "other")
#define LABELS_CODE(V) V(CODE_1XX, "1xx") V(CODE_2XX, "2xx") V(CODE_3XX, "3xx") V(CODE_4XX, "4xx") V(CODE_5XX, "5xx")

#define LABEL_NUMBER(number, value) number,
typedef enum MetricEnded { LABELS_ENDED(LABEL_NUMBER) ENDINGS } MetricEnded;
typedef enum MetricPhase { LABELS_PHASE(LABEL_NUMBER) PHASES } MetricPhase;
typedef enum MetricRejected { LABELS_REJECTED(LABEL_NUMBER) REJECTIONS } MetricRejected;
typedef enum MetricPart { LABELS_PART(LABEL_NUMBER) PARTS } MetricPart;
typedef enum MetricPages { LABELS_PAGES(LABEL_NUMBER) PAGE_KINDS } MetricPages;
typedef enum MetricReload { LABELS_RELOAD(LABEL_NUMBER) RELOADS } MetricReload;
typedef enum MetricRefused { LABELS_REFUSED(LABEL_NUMBER) REFUSALS } MetricRefused;
typedef enum MetricBuild { LABELS_BUILD(LABEL_NUMBER) BUILDS } MetricBuild;
typedef enum MetricRoute { LABELS_ROUTE(LABEL_NUMBER) ROUTES } MetricRoute;
typedef enum MetricCode { LABELS_CODE(LABEL_NUMBER) CODES } MetricCode;
#undef LABEL_NUMBER

// The label of METRIC_HTTP_REQUESTS for an HTTP status of 100 to 599.
size_t metric_route_code(MetricRoute route, int status);

// `model`: the value of the label model_name; NULL for the figures of the process.
MUST_CHECK Status metrics_new(const char *model, Metrics **ret_metrics, Error *err);
void metrics_free(Metrics *metrics);
const char *metrics_model(const Metrics *metrics); // "" for the process's

// `label`: which of the values that the metric's row lists; 0 where it has no label of its own.
void metrics_add(Metrics *metrics, MetricId id, size_t label, double amount);    // counters; gauges, by less than 0 too
void metrics_set(Metrics *metrics, MetricId id, size_t label, double value);     // gauges; counters kept elsewhere
void metrics_observe(Metrics *metrics, MetricId id, size_t label, double value); // histograms

// METRIC_KV_USAGE is worked out from the pages and never set.
double metrics_value(const Metrics *metrics, MetricId id, size_t label); // of a counter or gauge; a histogram's count
double metrics_sum(const Metrics *metrics, MetricId id, size_t label);   // of a histogram
double metrics_total(const Metrics *metrics, MetricId id);               // metrics_value over all labels

// How many labels a metric has (1 for one without), and the value of one ("" for one without, or with two).
size_t metric_labels(MetricId id);
const char *metric_label(MetricId id, size_t label);

// What a Metrics held at one moment.
typedef struct MetricsMark MetricsMark;
MUST_CHECK Status metrics_mark_new(MetricsMark **ret_mark, Error *err); // of a Metrics that has counted nothing
void metrics_mark_free(MetricsMark *mark);
void metrics_mark(const Metrics *metrics, MetricsMark *mark);
// What was added since the mark: to a counter, to a histogram's count and sum. Never below 0.
double metrics_value_since(const Metrics *metrics, const MetricsMark *since, MetricId id, size_t label);
double metrics_sum_since(const Metrics *metrics, const MetricsMark *since, MetricId id, size_t label);
double metrics_total_since(const Metrics *metrics, const MetricsMark *since, MetricId id);
// The q-quantile (0..1) of what a histogram saw since the mark, by linear interpolation in its buckets as PromQL's
// histogram_quantile does it; the highest bound for what lies above it; NaN where it saw nothing.
double metrics_quantile(const Metrics *metrics, const MetricsMark *since, MetricId id, size_t label, double q);

// All of it, of the process and of several models, in the text format 0.0.4: HELP and TYPE once per name. vLLM's names
// follow hone's, with the labels model_name and engine. Two of the same model name would be one series twice: the
// caller has none.
void metrics_print(const Metrics *const *metrics, size_t count, Buffer *out);
