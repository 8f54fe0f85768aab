// SPDX-License-Identifier: Apache-2.0
// The report's document: members with sentences for what they are not, and the measured rows.
#include <math.h>
#include <string.h>

#include "compress/report_part.h"
#include "measure/plot_svg.h"

Status report_array(const Report *report, const char *key, const json_t **ret_array, size_t *ret_count, Error *err) {
    const json_t *array = NULL;
    TRY(json_get_array(report->evidence, "evidence", key, &array, err));
    *ret_array = array;
    *ret_count = json_array_size(array);
    return OK;
}

Status report_item(const json_t *array, const char *key, size_t index, char where[REPORT_WHERE_BYTES],
                   const json_t **ret_item, Error *err) {
    snprintf(where, REPORT_WHERE_BYTES, "evidence: %s[%zu]", key, index);
    const json_t *item = json_array_get(array, index);
    if (!json_is_object(item))
        return FAIL(err, ERR_FORMAT, "%s is no object", where);
    *ret_item = item;
    return OK;
}

Status report_object(const json_t *parent, const char *where, const char *key, char ret_where[REPORT_WHERE_BYTES],
                     const json_t **ret_object, Error *err) {
    const json_t *object = NULL;
    TRY(json_get_object(parent, where, key, &object, err));
    snprintf(ret_where, REPORT_WHERE_BYTES, "%s%s%s", where, strchr(where, ':') ? "." : ": ", key);
    *ret_object = object;
    return OK;
}

Status report_real(const json_t *object, const char *where, const char *key, double *ret, Error *err) {
    double value = NAN;
    TRY(json_get_real(object, where, key, -PLOT_VALUE_MOST, PLOT_VALUE_MOST, &value, err));
    *ret = value;
    return OK;
}

Status report_text(const json_t *object, const char *where, const char *key, const char **ret, Error *err) {
    const char *text = "";
    TRY(json_get_text(object, where, key, &text, err));
    *ret = text;
    return OK;
}

Status report_figure(const json_t *object, const char *where, const char *key, const char *value, Figure *ret,
                     Error *err) {
    char inside[REPORT_WHERE_BYTES];
    const json_t *figure;
    TRY(report_object(object, where, key, inside, &figure, err));
    TRY(report_real(figure, inside, value, &ret->value, err));
    TRY(report_real(figure, inside, "low", &ret->low, err));
    TRY(report_real(figure, inside, "high", &ret->high, err));
    if (ret->low > ret->high)
        return FAIL(err, ERR_FORMAT, "%s: 'low' is %g, above 'high', %g", inside, ret->low, ret->high);
    return OK;
}

static Status metrics_read(Report *report, Error *err) {
    const json_t *array;
    size_t count;
    TRY(report_array(report, "metrics", &array, &count, err));
    if (count > REPORT_METRICS_MOST)
        return FAIL(err, ERR_LIMIT, "evidence: 'metrics' has %zu items, it may have %d", count, REPORT_METRICS_MOST);
    for (size_t i = 0; i < count; i++) {
        report->metrics[i] = json_string_value(json_array_get(array, i));
        if (!report->metrics[i])
            return FAIL(err, ERR_FORMAT, "evidence: metrics[%zu] is no string", i);
    }
    report->metric_count = count;
    return OK;
}

static Status row_read(const Report *report, const json_t *item, const char *where, ReportRow *row, Error *err) {
    TRY(report_text(item, where, "name", &row->name, err));
    TRY(report_text(item, where, "recipe_text", &row->recipe, err));
    TRY(report_text(item, where, "note", &row->note, err));
    TRY(json_get_bool(item, where, "chosen", &row->chosen, err));
    TRY(report_real(item, where, "samples_per_s", &row->samples_per_s, err));
    TRY(report_real(item, where, "weights_mb", &row->weights_mb, err));
    TRY(report_real(item, where, "peak_rss_mb", &row->peak_rss_mb, err));
    TRY(report_real(item, where, "reduction_percent", &row->reduction_percent, err));
    TRY(report_figure(item, where, "speedup", "mean", &row->speedup, err));
    char inside[REPORT_WHERE_BYTES];
    const json_t *object;
    TRY(report_object(item, where, "latency_ms", inside, &object, err));
    TRY(report_real(object, inside, "mean", &row->mean_ms, err));
    TRY(report_real(object, inside, "p50", &row->p50_ms, err));
    TRY(report_real(object, inside, "p95", &row->p95_ms, err));
    TRY(report_real(object, inside, "p99", &row->p99_ms, err));
    TRY(report_object(item, where, "quality", inside, &object, err));
    for (size_t m = 0; m < report->metric_count; m++)
        TRY(report_figure(object, inside, report->metrics[m], "mean", &row->quality[m], err));
    TRY(report_object(item, where, "loss", inside, &object, err));
    for (size_t m = 0; m < report->metric_count; m++)
        TRY(report_figure(object, inside, report->metrics[m], "relative", &row->losses[m], err));
    return report_figure(object, inside, "mean", "relative", &row->loss, err);
}

Status report_read(Report *report, Error *err) {
    TRY(report_real(report->evidence, "evidence", "budget", &report->budget, err));
    TRY(metrics_read(report, err));
    const json_t *array;
    TRY(report_array(report, "rows", &array, &report->row_count, err));
    TRY_NEW(report->rows = arena_array(report->arena, report->row_count, sizeof *report->rows, err));
    for (size_t i = 0; i < report->row_count; i++) {
        ReportRow *row = &report->rows[i];
        const json_t *item = NULL;
        char where[REPORT_WHERE_BYTES];
        TRY(report_item(array, "rows", i, where, &item, err));
        TRY(row_read(report, item, where, row, err));
        if (row->chosen && !report->chosen)
            report->chosen = row;
        if (strcmp(row->name, "original") == 0 && !report->original)
            report->original = row;
    }
    if (!report->original && report->row_count)
        report->original = &report->rows[0];
    return OK;
}
