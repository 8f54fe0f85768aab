// SPDX-License-Identifier: Apache-2.0
// Counting in slots of eight bytes, and their text.
#include "serve/metrics.h"

#include <assert.h>
#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

typedef enum Kind { COUNTER, GAUGE, HISTOGRAM } Kind;
typedef enum Scope { SERVER, MODEL } Scope;

// Tokens of small models take single milliseconds: four bounds a decade from 100 us.
static const double bounds_SECONDS[] = {.0001, .00018, .00032, .00056, .001, .0018, .0032, .0056, .01, .018, .032, .056,
                                        .1,    .18,    .32,    .56,    1,    1.8,   3.2,   5.6,   10,  18,   32,   56};
static const double bounds_TOKENS[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384};
static const double bounds_ROWS[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512};
#define bounds_NONE NULL
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
enum { BOUNDS_NONE = 0, BOUNDS_SECONDS = COUNT_OF(bounds_SECONDS), BOUNDS_TOKENS = COUNT_OF(bounds_TOKENS) };
enum { BOUNDS_ROWS = COUNT_OF(bounds_ROWS), MOST_BOUNDS = 32 };
static_assert((int)BOUNDS_SECONDS <= (int)MOST_BOUNDS && (int)BOUNDS_ROWS <= (int)MOST_BOUNDS, "room for the bounds");

typedef struct LabelSet LabelSet;
struct LabelSet {
    const char *name; // NULL: no label
    const char *const *values;
    size_t count;
    const LabelSet *inner; // a second label, which varies faster
};

#define LABEL_VALUE(number, value) value,
#define LABEL_SET(set, label_name, number_of, inner_set)                                                               \
    enum { COUNT_##set = (number_of) };                                                                                \
    static const char *const values_##set[] = {LABELS_##set(LABEL_VALUE)};                                             \
    static const LabelSet labels_##set = {label_name, values_##set, COUNT_##set, inner_set};
LABEL_SET(ENDED, "finished_reason", ENDINGS, NULL)
LABEL_SET(PHASE, "phase", PHASES, NULL)
LABEL_SET(REJECTED, "reason", REJECTIONS, NULL)
LABEL_SET(PART, "part", PARTS, NULL)
LABEL_SET(PAGES, "kind", PAGE_KINDS, NULL)
LABEL_SET(RELOAD, "result", RELOADS, NULL)
LABEL_SET(REFUSED, "reason", REFUSALS, NULL)
LABEL_SET(BUILD, "version", BUILDS, NULL)
LABEL_SET(CODE, "code", CODES, NULL)
LABEL_SET(ROUTE, "route", ROUTES, &labels_CODE)
#undef LABEL_SET
#undef LABEL_VALUE
static const LabelSet labels_NONE = {.count = 1};
#define labels_ROUTE_CODE labels_ROUTE
enum { COUNT_NONE = 1, COUNT_ROUTE_CODE = ROUTES * CODES };

// A counter or gauge has one slot, a double; a histogram the counts of its buckets, the one above the last bound
// included, and then the sum.
#define WIDTH(bounds) ((bounds) ? (bounds) + 2 : 1)

// Where the slots of each metric begin: an enumerator without a value is one more than the one before.
enum {
#define METRIC(id, scope, kind, name, alias, labels, buckets, help)                                                    \
    SLOT_##id, LAST_##id = SLOT_##id + (int)COUNT_##labels * WIDTH((int)BOUNDS_##buckets) - 1,
#include "serve/metrics.def"
#undef METRIC
    SLOT_COUNT
};

typedef struct Row {
    const char *name, *alias, *help;
    Kind kind;
    Scope scope;
    const LabelSet *labels;
    size_t label_count;
    const double *bounds;
    size_t bound_count, slot, width;
} Row;

static const Row rows[METRIC_COUNT] = {
#define METRIC(id, scope, kind, name, alias, labels, buckets, help)                                                    \
    [id] = {name,                                                                                                      \
            alias,                                                                                                     \
            help,                                                                                                      \
            kind,                                                                                                      \
            scope,                                                                                                     \
            &labels_##labels,                                                                                          \
            COUNT_##labels,                                                                                            \
            bounds_##buckets,                                                                                          \
            BOUNDS_##buckets,                                                                                          \
            SLOT_##id,                                                                                                 \
            WIDTH(BOUNDS_##buckets)},
#include "serve/metrics.def"
#undef METRIC
};

typedef _Atomic uint64_t Slot;

struct Metrics {
    char *model;
    Slot slots[SLOT_COUNT];
};

struct MetricsMark {
    uint64_t slots[SLOT_COUNT];
};

static double number_of(uint64_t bits) {
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static uint64_t bits_of(double number) {
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static void slot_add(Slot *slot, double amount) {
    uint64_t old = atomic_load_explicit(slot, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(slot, &old, bits_of(number_of(old) + amount), memory_order_relaxed,
                                                  memory_order_relaxed))
        ;
}

static uint64_t slot_read(const Slot *slot) {
    return atomic_load_explicit(slot, memory_order_relaxed);
}

size_t metric_route_code(MetricRoute route, int status) {
    assert(status >= 100 && status < 600);
    return (size_t)route * CODES + (size_t)(status / 100 - 1);
}

Status metrics_new(const char *model, Metrics **ret_metrics, Error *err) {
    size_t bytes = model ? strlen(model) + 1 : 1;
    Metrics *metrics = memory_new(1, sizeof *metrics + bytes, err);
    TRY_NEW(metrics);
    memset(metrics, 0, sizeof *metrics + bytes); // all bits zero is 0.0
    metrics->model = (char *)(metrics + 1);
    if (model)
        memcpy(metrics->model, model, bytes);
    else
        metrics_set(metrics, METRIC_BUILD_INFO, BUILD_THIS, 1);
    *ret_metrics = metrics;
    return OK;
}

void metrics_free(Metrics *metrics) {
    memory_free(metrics);
}

const char *metrics_model(const Metrics *metrics) {
    return metrics->model;
}

size_t metric_labels(MetricId id) {
    return rows[id].label_count;
}

const char *metric_label(MetricId id, size_t label) {
    assert(label < rows[id].label_count);
    const LabelSet *labels = rows[id].labels;
    return labels->name && !labels->inner ? labels->values[label] : "";
}

// The first slot of a series.
static size_t slot_of(const Metrics *metrics, MetricId id, size_t label) {
    const Row *row = &rows[id];
    assert(label < row->label_count && (row->scope == SERVER) == !metrics->model[0]);
    (void)metrics;
    return row->slot + label * row->width;
}

void metrics_add(Metrics *metrics, MetricId id, size_t label, double amount) {
    assert(rows[id].kind == GAUGE || (rows[id].kind == COUNTER && amount >= 0));
    slot_add(&metrics->slots[slot_of(metrics, id, label)], amount);
}

void metrics_set(Metrics *metrics, MetricId id, size_t label, double value) {
    assert(rows[id].kind != HISTOGRAM && id != METRIC_KV_USAGE);
    atomic_store_explicit(&metrics->slots[slot_of(metrics, id, label)], bits_of(value), memory_order_relaxed);
}

void metrics_observe(Metrics *metrics, MetricId id, size_t label, double value) {
    const Row *row = &rows[id];
    assert(row->kind == HISTOGRAM);
    Slot *slots = &metrics->slots[slot_of(metrics, id, label)];
    value = value > 0 ? value : 0; // clocks of two threads; NaN would stay in the sum for ever
    size_t bucket = 0;
    while (bucket < row->bound_count && value > row->bounds[bucket])
        bucket++;
    atomic_fetch_add_explicit(&slots[bucket], 1, memory_order_relaxed);
    slot_add(&slots[row->bound_count + 1], value);
}

// The counts of a histogram's buckets, without a mark's (NULL: all of them); returns their sum.
static uint64_t read_buckets(const Metrics *metrics, const uint64_t *since, MetricId id, size_t label,
                             uint64_t *ret_counts) {
    uint64_t sum = 0;
    size_t slot = slot_of(metrics, id, label);
    for (size_t i = 0; i <= rows[id].bound_count; i++)
        sum += ret_counts[i] = slot_read(&metrics->slots[slot + i]) - (since ? since[slot + i] : 0);
    return sum;
}

static double kv_usage(const Metrics *metrics) {
    double pages = metrics_value(metrics, METRIC_KV_PAGES, 0);
    return pages > 0 ? metrics_total(metrics, METRIC_KV_PAGES_USED) / pages : 0;
}

static double value_since(const Metrics *metrics, const uint64_t *since, MetricId id, size_t label) {
    uint64_t counts[MOST_BOUNDS + 1];
    if (rows[id].kind == HISTOGRAM)
        return (double)read_buckets(metrics, since, id, label, counts);
    if (id == METRIC_KV_USAGE)
        return kv_usage(metrics);
    size_t slot = slot_of(metrics, id, label);
    double old = since && rows[id].kind == COUNTER ? number_of(since[slot]) : 0;
    return number_of(slot_read(&metrics->slots[slot])) - old;
}

static double sum_since(const Metrics *metrics, const uint64_t *since, MetricId id, size_t label) {
    assert(rows[id].kind == HISTOGRAM);
    size_t slot = slot_of(metrics, id, label) + rows[id].bound_count + 1;
    return number_of(slot_read(&metrics->slots[slot])) - (since ? number_of(since[slot]) : 0);
}

double metrics_value(const Metrics *metrics, MetricId id, size_t label) {
    return value_since(metrics, NULL, id, label);
}

double metrics_sum(const Metrics *metrics, MetricId id, size_t label) {
    return sum_since(metrics, NULL, id, label);
}

double metrics_total(const Metrics *metrics, MetricId id) {
    double total = 0;
    for (size_t label = 0; label < rows[id].label_count; label++)
        total += value_since(metrics, NULL, id, label);
    return total;
}

Status metrics_mark_new(MetricsMark **ret_mark, Error *err) {
    MetricsMark *mark = memory_new(1, sizeof *mark, err);
    TRY_NEW(mark);
    *mark = (MetricsMark){0};
    *ret_mark = mark;
    return OK;
}

void metrics_mark_free(MetricsMark *mark) {
    memory_free(mark);
}

void metrics_mark(const Metrics *metrics, MetricsMark *mark) {
    for (size_t i = 0; i < SLOT_COUNT; i++)
        mark->slots[i] = slot_read(&metrics->slots[i]);
}

double metrics_value_since(const Metrics *metrics, const MetricsMark *since, MetricId id, size_t label) {
    return fmax(0, value_since(metrics, since->slots, id, label));
}

double metrics_sum_since(const Metrics *metrics, const MetricsMark *since, MetricId id, size_t label) {
    return fmax(0, sum_since(metrics, since->slots, id, label));
}

double metrics_total_since(const Metrics *metrics, const MetricsMark *since, MetricId id) {
    double total = 0;
    for (size_t label = 0; label < rows[id].label_count; label++)
        total += metrics_value_since(metrics, since, id, label);
    return total;
}

double metrics_quantile(const Metrics *metrics, const MetricsMark *since, MetricId id, size_t label, double q) {
    const Row *row = &rows[id];
    assert(row->kind == HISTOGRAM);
    uint64_t counts[MOST_BOUNDS + 1];
    uint64_t sum = read_buckets(metrics, since->slots, id, label, counts);
    double rank = q * (double)sum, below = 0;
    for (size_t i = 0; sum && i < row->bound_count; i++) {
        double low = i ? row->bounds[i - 1] : 0, high = row->bounds[i];
        if (counts[i] && below + (double)counts[i] >= rank)
            return low + (high - low) * fmax(0, rank - below) / (double)counts[i];
        below += (double)counts[i];
    }
    return sum ? row->bounds[row->bound_count - 1] : NAN;
}

// The shortest text that reads back as the same number.
static void print_number(Buffer *out, double value) {
    char text[40];
    if (isnan(value))
        buffer_add_text(out, "NaN");
    else if (isinf(value))
        buffer_add_text(out, value < 0 ? "-Inf" : "+Inf");
    else {
        for (int digits = 15; digits <= 17; digits++) {
            snprintf(text, sizeof text, "%.*g", digits, value);
            if (strtod(text, NULL) == value)
                break;
        }
        buffer_add_text(out, text);
    }
}

static void print_label(Buffer *out, const char *name, const char *value, bool *first) {
    buffer_format(out, "%s%s=\"", *first ? "{" : ",", name);
    *first = false;
    for (const char *p = value; *p; p++) {
        if (*p == '\\' || *p == '"')
            buffer_add_char(out, '\\');
        if (*p == '\n')
            buffer_add_text(out, "\\n");
        else
            buffer_add_char(out, *p);
    }
    buffer_add_char(out, '"');
}

// One series: where it belongs, and which of the metric's labels it is.
typedef struct Series {
    const Metrics *metrics;
    const Row *row;
    size_t label;
    const char *name;
    size_t name_bytes;
    bool alias;
} Series;

static void print_sample(Buffer *out, const Series *series, const char *suffix, const char *le, double value) {
    buffer_add(out, series->name, series->name_bytes);
    buffer_add_text(out, suffix);
    bool first = true;
    if (series->metrics->model[0])
        print_label(out, "model_name", series->metrics->model, &first);
    if (series->alias)
        print_label(out, "engine", "0", &first);
    const LabelSet *labels = series->row->labels;
    if (labels->name) {
        size_t inner = labels->inner ? labels->inner->count : 1;
        print_label(out, labels->name, labels->values[series->label / inner], &first);
        if (labels->inner)
            print_label(out, labels->inner->name, labels->inner->values[series->label % inner], &first);
    }
    if (le)
        print_label(out, "le", le, &first);
    buffer_add_text(out, first ? " " : "} ");
    print_number(out, value);
    buffer_add_char(out, '\n');
}

static void print_histogram(Buffer *out, const Series *series, MetricId id) {
    const Row *row = series->row;
    uint64_t counts[MOST_BOUNDS + 1], below = 0;
    uint64_t sum = read_buckets(series->metrics, NULL, id, series->label, counts);
    for (size_t i = 0; i < row->bound_count; i++) {
        char bound[32];
        snprintf(bound, sizeof bound, "%g", row->bounds[i]);
        print_sample(out, series, "_bucket", bound, (double)(below += counts[i]));
    }
    print_sample(out, series, "_bucket", "+Inf", (double)sum);
    print_sample(out, series, "_sum", NULL, sum_since(series->metrics, NULL, id, series->label));
    print_sample(out, series, "_count", NULL, (double)sum);
}

static void print_name(const Metrics *const *metrics, size_t count, MetricId id, const char *name, size_t name_bytes,
                       Buffer *out) {
    static const char *const kinds[] = {[COUNTER] = "counter", [GAUGE] = "gauge", [HISTOGRAM] = "histogram"};
    const Row *row = &rows[id];
    bool told = false;
    for (size_t m = 0; m < count; m++) {
        if ((row->scope == SERVER) != !metrics[m]->model[0])
            continue;
        if (!told)
            buffer_format(out, "# HELP %.*s %s\n# TYPE %.*s %s\n", (int)name_bytes, name, row->help, (int)name_bytes,
                          name, kinds[row->kind]);
        told = true;
        Series series = {metrics[m], row, 0, name, name_bytes, name != row->name};
        for (; series.label < row->label_count; series.label++)
            if (row->kind == HISTOGRAM)
                print_histogram(out, &series, id);
            else
                print_sample(out, &series, "", NULL, value_since(metrics[m], NULL, id, series.label));
    }
}

void metrics_print(const Metrics *const *metrics, size_t count, Buffer *out) {
    for (size_t id = 0; id < METRIC_COUNT; id++)
        print_name(metrics, count, (MetricId)id, rows[id].name, strlen(rows[id].name), out);
    for (size_t id = 0; id < METRIC_COUNT; id++) {
        size_t bytes;
        for (const char *alias = rows[id].alias; (bytes = strcspn(alias, " ")); alias += bytes + (alias[bytes] == ' '))
            print_name(metrics, count, (MetricId)id, alias, bytes, out);
    }
}
