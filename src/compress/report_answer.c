// SPDX-License-Identifier: Apache-2.0
// The answer: one sentence, and its figures as tiles.
#include <math.h>

#include "compress/report_part.h"
#include "measure/plot_svg.h"

enum { GAUGE_WIDTH = 240, GAUGE_HEIGHT = 26, HEADLINE_LETTERS_MOST = 90 };

static void begin_tile(Buffer *out, const char *name) {
    buffer_format(out, "<div><dt>%s</dt><dd class=\"figure\">", name);
}

static void add_speed(const Report *report, Buffer *out) {
    const ReportRow *row = report->chosen;
    begin_tile(out, "Speed-up");
    report_add_number(out, row->speedup.value, 2);
    buffer_add_text(out, "<small>times</small></dd><dd>");
    report_add_interval(out, row->speedup, 1, 2);
    buffer_add_text(out, "</dd><dd>");
    report_add_change(out, report->original->mean_ms, row->mean_ms, "ms");
    buffer_add_text(out, "</dd></div>\n");
}

static void add_size(const Report *report, Buffer *out) {
    begin_tile(out, "Smaller by");
    report_add_number(out, report->chosen->reduction_percent, 1);
    buffer_add_text(out, "<small>%</small></dd><dd>weights on disk</dd><dd>");
    report_add_change(out, report->original->weights_mb, report->chosen->weights_mb, "MB");
    buffer_add_text(out, "</dd></div>\n");
}

static void add_memory(const Report *report, Buffer *out) {
    double from = report->original->peak_rss_mb, to = report->chosen->peak_rss_mb;
    begin_tile(out, "Memory");
    report_add_number(out, to, report_decimals(to));
    buffer_add_text(out, "<small>MB</small></dd><dd>peak of the process</dd><dd>");
    report_add_change(out, from, to, "MB");
    buffer_add_text(out, "</dd></div>\n");
}

// A line from no loss to beyond the budget, with the interval on it.
static void add_gauge(Buffer *out, Figure loss, double budget) {
    if (!isfinite(loss.value) || !(budget > 1e-9))
        return;
    double low = isfinite(loss.low) ? fmin(loss.low, loss.value) : loss.value;
    double high = isfinite(loss.high) ? fmax(loss.high, loss.value) : loss.value;
    double from = fmin(low, 0), to = fmax(high, budget) * 1.15, left = 6, span = GAUGE_WIDTH - 12;
    double unit = span / (to - from), middle = GAUGE_HEIGHT / 2.0, limit = left + (budget - from) * unit;
    buffer_format(out,
                  "<svg class=\"gauge\" viewBox=\"0 0 %d %d\" role=\"img\" "
                  "aria-label=\"The interval of the loss against the budget\">\n"
                  "<rect class=\"track\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"4\" rx=\"2\"/>\n",
                  GAUGE_WIDTH, GAUGE_HEIGHT, left, middle - 2, span);
    svg_line(out, "limit", limit, 3, limit, GAUGE_HEIGHT - 3);
    svg_line(out, "spread", left + (low - from) * unit, middle, left + (high - from) * unit, middle);
    buffer_format(out, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>\n</svg>",
                  left + (loss.value - from) * unit, middle);
}

static void add_loss(const Report *report, Buffer *out) {
    Figure loss = report->chosen->loss;
    begin_tile(out, "Loss of quality");
    report_add_number(out, loss.value * 100, 2);
    buffer_add_text(out, "<small>%</small></dd><dd>");
    report_add_interval(out, loss, 100, 2);
    if (isfinite(report->budget)) {
        buffer_add_text(out, " of ");
        report_add_budget(out, report->budget);
        buffer_add_text(out, " allowed");
    }
    buffer_add_text(out, "</dd><dd>");
    add_gauge(out, loss, report->budget);
    buffer_add_text(out, "</dd></div>\n");
}

static void add_badge(Buffer *out, const json_t *met) {
    if (json_is_boolean(met))
        buffer_format(out, "<span class=\"badge%s\">%s</span>\n", json_is_true(met) ? "" : " over",
                      json_is_true(met) ? "\xE2\x9C\x93 within the budget" : "budget not met");
}

Status report_answer(Report *report, Error *err) {
    Buffer *out = report->out;
    char where[REPORT_WHERE_BYTES];
    const json_t *answer;
    const char *sentence, *recipe;
    bool met = false;
    TRY(report_object(report->evidence, "evidence", "answer", where, &answer, err));
    TRY(json_get_bool(answer, where, "met", &met, err));
    TRY(report_text(answer, where, "sentence", &sentence, err));
    TRY(report_text(answer, where, "recipe_text", &recipe, err));
    if (!*sentence)
        sentence = answer ? "What the search measured" : "No answer: the search ended before it had one";
    buffer_add_text(out, svg_characters(sentence) > HEADLINE_LETTERS_MOST ? "<h1 class=\"long\">" : "<h1>");
    svg_escape(out, sentence);
    buffer_add_text(out, "</h1>\n<p class=\"recipe\">");
    add_badge(out, json_object_get(answer, "met"));
    if (*recipe) {
        buffer_add_text(out, "<code>");
        svg_escape(out, recipe);
        buffer_add_text(out, "</code>");
    }
    buffer_add_text(out, "</p>\n");
    if (!report->chosen)
        return OK;
    buffer_add_text(out, "<dl class=\"tiles\">\n");
    add_speed(report, out);
    add_size(report, out);
    add_loss(report, out);
    add_memory(report, out);
    buffer_add_text(out, "</dl>\n");
    return OK;
}
