// SPDX-License-Identifier: Apache-2.0
// What the parts of the evidence report share: members read, numbers written. A part reads its member of the evidence
// and appends the inside of its <section>.
#pragma once

#include <stdbool.h>

#include "compress/report.h"

// A value with its 95 % interval; NaN where the document has none.
typedef struct Figure {
    double value, low, high;
} Figure;

enum { REPORT_METRICS_MOST = 8, REPORT_WHERE_BYTES = 96 };

// One measured model. Numbers that are not there are NaN, texts "".
typedef struct ReportRow {
    const char *name, *recipe, *note;
    double mean_ms, p50_ms, p95_ms, p99_ms, samples_per_s, weights_mb, peak_rss_mb, reduction_percent;
    Figure speedup, loss;                // the mean loss
    Figure quality[REPORT_METRICS_MOST]; // by metric
    Figure losses[REPORT_METRICS_MOST];
    bool chosen;
} ReportRow;

typedef struct Report {
    Arena *arena;
    const json_t *evidence;
    Buffer *out;
    double budget;
    const char *metrics[REPORT_METRICS_MOST];
    size_t metric_count;
    ReportRow *rows;
    size_t row_count;
    const ReportRow *original, *chosen; // NULL: none
} Report;

// The parts, in the order of the page. Each is called where its member is there.
Status report_answer(Report *report, Error *err);
Status report_table(Report *report, Error *err);
Status report_frontier(Report *report, Error *err);
Status report_sensitivity(Report *report, Error *err);
Status report_layers(Report *report, Error *err);
Status report_waterfall(Report *report, Error *err);
Status report_phases(Report *report, Error *err);
Status report_samples(Report *report, Error *err);
Status report_method(Report *report, Error *err);

extern const char report_style[], report_script[];

// Reading. `where` begins messages: "evidence: rows[2]".

// Fills budget, metrics, rows, original, chosen.
Status report_read(Report *report, Error *err);

// The array `key` of the evidence; `ret_count` 0 when there is none.
Status report_array(const Report *report, const char *key, const json_t **ret_array, size_t *ret_count, Error *err);

// Its element `index`, an object; `where` becomes "evidence: key[index]".
Status report_item(const json_t *array, const char *key, size_t index, char where[REPORT_WHERE_BYTES],
                   const json_t **ret_item, Error *err);

// An object that is a member; `ret_object` NULL when there is none, in which no member is found either. `ret_where`
// becomes "where.key".
Status report_object(const json_t *parent, const char *where, const char *key, char ret_where[REPORT_WHERE_BYTES],
                     const json_t **ret_object, Error *err);

Status report_real(const json_t *object, const char *where, const char *key, double *ret, Error *err);
Status report_text(const json_t *object, const char *where, const char *key, const char **ret, Error *err);

// {`value`: n, "low": n, "high": n} under `key`. ERR_FORMAT for low above high.
Status report_figure(const json_t *object, const char *where, const char *key, const char *value, Figure *ret,
                     Error *err);

// Writing. What is NaN is written as a dash.

void report_add_number(Buffer *out, double value, int decimals);
void report_add_short(Buffer *out, double value);                                  // as plot_number
void report_add_budget(Buffer *out, double share);                                 // "1 %"
void report_add_percent(Buffer *out, double share, int decimals);                  // "0.49 %"
void report_add_interval(Buffer *out, Figure figure, double factor, int decimals); // "[0.21, 0.77]", or nothing
void report_add_loss(Buffer *out, Figure loss);                                    // "0.49 % [0.21, 0.77]"
void report_add_change(Buffer *out, double from, double to, const char *unit);     // "5.31 → 1.98 ms", or nothing

// Decimals with which the smallest value of a column still has three digits, 3 at most.
int report_decimals(double smallest);

// The bytes of "encoder.layers.0" in "encoder.layers.0.fc1": up to the last part that is a number; 0: none is.
size_t report_stem_bytes(const char *name);

// A box that scrolls by itself, reachable by keyboard; `class` and `label` are markup. Ends with "</div>".
void report_begin_scroll(Buffer *out, const char *class, const char *label);
