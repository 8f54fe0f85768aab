// SPDX-License-Identifier: Apache-2.0
// The table of measured models: speed, size and quality in one row each; the losses metric by metric behind it.
#include <math.h>
#include <string.h>

#include "compress/report_part.h"
#include "measure/plot_svg.h"

// Decimals of the columns, from their smallest values.
typedef struct Decimals {
    int ms, per_second, weights, peak;
} Decimals;

static Decimals decimals_choose(const Report *report) {
    double ms = INFINITY, per_second = INFINITY, weights = INFINITY, peak = INFINITY;
    for (size_t i = 0; i < report->row_count; i++) {
        const ReportRow *row = &report->rows[i];
        ms = fmin(ms, fmin(row->mean_ms, row->p50_ms)); // fmin passes NaN over
        per_second = fmin(per_second, row->samples_per_s);
        weights = fmin(weights, row->weights_mb);
        peak = fmin(peak, row->peak_rss_mb);
    }
    return (Decimals){report_decimals(ms), report_decimals(per_second), report_decimals(weights),
                      report_decimals(peak)};
}

// "rouge1" as people write it.
static void add_metric_name(Buffer *out, const char *metric) {
    bool rouge = strncmp(metric, "rouge", 5) == 0;
    if (rouge)
        buffer_add_text(out, "ROUGE-");
    svg_escape(out, rouge ? metric + 5 : strcmp(metric, "token_error") == 0 ? "token error" : metric);
}

static void add_number_cell(Buffer *out, bool group, double value, int decimals) {
    buffer_add_text(out, group ? "<td class=\"group\">" : "<td>");
    report_add_number(out, value, decimals);
    buffer_add_text(out, "</td>");
}

// A value over its interval.
static void add_figure_cell(Buffer *out, bool group, Figure figure, double factor, int decimals) {
    buffer_add_text(out, group ? "<td class=\"group\">" : "<td>");
    report_add_number(out, figure.value * factor, decimals);
    buffer_add_text(out, "<small>");
    report_add_interval(out, figure, factor, decimals);
    buffer_add_text(out, "</small></td>");
}

// Whether the row was measured as slower than the original, whatever its document notes.
static bool is_slower(const Report *report, const ReportRow *row) {
    return row != report->original && row->speedup.value < 1;
}

static void begin_row(const Report *report, const ReportRow *row, Buffer *out) {
    buffer_format(out, "<tr%s><th scope=\"row\" class=\"text\"><span class=\"name\">",
                  row->chosen ? " class=\"chosen\"" : "");
    svg_escape(out, *row->name ? row->name : *row->recipe ? row->recipe : "unnamed");
    buffer_add_text(out, "</span>");
    if (*row->recipe && *row->name && strcmp(row->recipe, row->name) != 0) {
        buffer_add_text(out, "<small>");
        svg_escape(out, row->recipe);
        buffer_add_text(out, "</small>");
    }
    if (row->chosen && strcmp(row->name, "chosen") != 0)
        buffer_add_text(out, "<span class=\"badge\">chosen</span>");
    const char *note = *row->note ? row->note : is_slower(report, row) ? "slower here: no optimization" : "";
    if (*note) {
        buffer_add_text(out, "<small class=\"over\">");
        svg_escape(out, note);
        buffer_add_text(out, "</small>");
    }
    if (row->loss.value > report->budget)
        buffer_add_text(out, "<small class=\"over\">beyond the budget</small>");
    else if (row->loss.high > report->budget)
        buffer_add_text(out, "<small class=\"over\">its interval leaves the budget</small>");
    buffer_add_text(out, "</th>");
}

static void add_row(const Report *report, const ReportRow *row, Decimals decimals, Buffer *out) {
    begin_row(report, row, out);
    add_number_cell(out, true, row->mean_ms, decimals.ms);
    add_number_cell(out, false, row->p50_ms, decimals.ms);
    add_number_cell(out, false, row->p95_ms, decimals.ms);
    add_number_cell(out, false, row->p99_ms, decimals.ms);
    add_number_cell(out, true, row->samples_per_s, decimals.per_second);
    add_figure_cell(out, false, row->speedup, 1, 2);
    add_number_cell(out, true, row->weights_mb, decimals.weights);
    add_number_cell(out, false, row->reduction_percent, 1);
    add_number_cell(out, false, row->peak_rss_mb, decimals.peak);
    for (size_t m = 0; m < report->metric_count; m++)
        add_figure_cell(out, m == 0, row->quality[m], 100, 2);
    add_figure_cell(out, true, row->loss, 100, 2);
    buffer_add_text(out, "</tr>\n");
}

static void add_head(const Report *report, Buffer *out) {
    buffer_add_text(out, "<thead>\n<tr><th scope=\"col\" class=\"text\" rowspan=\"2\">Model</th>"
                         "<th scope=\"colgroup\" colspan=\"4\" class=\"group\">Latency, ms</th>"
                         "<th scope=\"colgroup\" colspan=\"2\" class=\"group\">Speed</th>"
                         "<th scope=\"colgroup\" colspan=\"3\" class=\"group\">Size</th>");
    if (report->metric_count)
        buffer_format(out, "<th scope=\"colgroup\" colspan=\"%zu\" class=\"group\">Quality, %%</th>",
                      report->metric_count);
    buffer_add_text(out, "<th scope=\"col\" rowspan=\"2\" class=\"group\">Loss, %<br/>mean</th></tr>\n"
                         "<tr><th scope=\"col\" class=\"group\">mean</th><th scope=\"col\">p50</th>"
                         "<th scope=\"col\">p95</th><th scope=\"col\">p99</th>"
                         "<th scope=\"col\" class=\"group\">samples/s</th><th scope=\"col\">times<br/>faster</th>"
                         "<th scope=\"col\" class=\"group\">weights,<br/>MB</th><th scope=\"col\">smaller<br/>by %</th>"
                         "<th scope=\"col\">peak<br/>RSS, MB</th>");
    for (size_t m = 0; m < report->metric_count; m++) {
        buffer_add_text(out, m ? "<th scope=\"col\">" : "<th scope=\"col\" class=\"group\">");
        add_metric_name(out, report->metrics[m]);
        buffer_add_text(out, "</th>");
    }
    buffer_add_text(out, "</tr>\n</thead>\n");
}

static void add_losses(const Report *report, Buffer *out) {
    buffer_add_text(out, "<details><summary>Loss by metric</summary>\n");
    report_begin_scroll(out, "pinned", "Loss by metric");
    buffer_add_text(out, "<table>\n<caption>Relative loss against the original, %</caption>\n"
                         "<thead><tr><th scope=\"col\" class=\"text\">Model</th>");
    for (size_t m = 0; m < report->metric_count; m++) {
        buffer_add_text(out, "<th scope=\"col\">");
        add_metric_name(out, report->metrics[m]);
        buffer_add_text(out, "</th>");
    }
    buffer_add_text(out, "<th scope=\"col\">mean</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < report->row_count; i++) {
        const ReportRow *row = &report->rows[i];
        begin_row(report, row, out);
        for (size_t m = 0; m < report->metric_count; m++)
            add_figure_cell(out, false, row->losses[m], 100, 2);
        add_figure_cell(out, false, row->loss, 100, 2);
        buffer_add_text(out, "</tr>\n");
    }
    buffer_add_text(out, "</tbody>\n</table>\n</div>\n</details>\n");
}

Status report_table(Report *report, Error *err) {
    (void)err;
    Buffer *out = report->out;
    buffer_add_text(out, "<p class=\"lead\">All on the same machine and the same samples. Brackets hold 95\xC2\xA0% "
                         "intervals; loss is relative to the original, negative where a model does better.</p>\n");
    report_begin_scroll(out, "pinned", "What was measured");
    buffer_add_text(out, "<table>\n");
    add_head(report, out);
    buffer_add_text(out, "<tbody>\n");
    Decimals decimals = decimals_choose(report);
    for (size_t i = 0; i < report->row_count; i++)
        add_row(report, &report->rows[i], decimals, out);
    buffer_add_text(out, "</tbody>\n</table>\n</div>\n");
    if (report->metric_count)
        add_losses(report, out);
    return OK;
}
