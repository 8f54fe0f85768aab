// SPDX-License-Identifier: Apache-2.0
// Time: where a sample's went, lever by lever, and where the search's went, phase by phase.
#include <math.h>

#include "compress/report_part.h"
#include "measure/plot.h"
#include "measure/plot_svg.h"

// Those bars that were measured; `ret_bars` has room for all.
static Status bars_read(const json_t *array, size_t count, PlotBar *ret_bars, size_t *ret_drawn, Error *err) {
    size_t drawn = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = NULL;
        char where[REPORT_WHERE_BYTES];
        PlotBar bar = {.value = NAN, .low = NAN, .high = NAN};
        TRY(report_item(array, "waterfall", i, where, &item, err));
        TRY(report_text(item, where, "label", &bar.label, err));
        TRY(json_get_real(item, where, "ms", 0, PLOT_VALUE_MOST, &bar.value, err));
        TRY(json_get_real(item, where, "low", 0, PLOT_VALUE_MOST, &bar.low, err));
        TRY(json_get_real(item, where, "high", 0, PLOT_VALUE_MOST, &bar.high, err));
        bar.low = fmin(bar.low, bar.value); // of NaN and a number, the number
        bar.high = fmax(bar.high, bar.value);
        if (isfinite(bar.value))
            ret_bars[drawn++] = bar;
    }
    *ret_drawn = drawn;
    return OK;
}

static void add_bars_table(const PlotBar *bars, size_t count, Buffer *out) {
    buffer_add_text(out, "<details><summary>The same in numbers</summary>\n");
    report_begin_scroll(out, "narrow", "The same in numbers");
    buffer_add_text(out, "<table>\n<thead><tr>"
                         "<th scope=\"col\" class=\"text\">Lever</th><th scope=\"col\">ms a sample</th>"
                         "<th scope=\"col\">times faster</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(out, "<tr><th scope=\"row\" class=\"text\">");
        svg_escape(out, bars[i].label);
        buffer_add_text(out, "</th><td>");
        report_add_number(out, bars[i].value, 2);
        buffer_add_text(out, "<small>");
        if (bars[i].high > bars[i].low)
            report_add_interval(out, (Figure){bars[i].value, bars[i].low, bars[i].high}, 1, 2);
        buffer_add_text(out, "</small></td><td>");
        report_add_number(out, i ? bars[i - 1].value / bars[i].value : NAN, 2);
        buffer_add_text(out, "</td></tr>\n");
    }
    buffer_add_text(out, "</tbody>\n</table>\n</div>\n</details>\n");
}

Status report_waterfall(Report *report, Error *err) {
    const json_t *array;
    size_t count, drawn;
    TRY(report_array(report, "waterfall", &array, &count, err));
    PlotBar *bars = arena_array(report->arena, count, sizeof *bars, err);
    TRY_NEW(bars);
    TRY(bars_read(array, count, bars, &drawn, err));
    if (!drawn) {
        buffer_add_text(report->out, "<p class=\"lead\">Nothing was measured.</p>\n");
        return OK;
    }
    buffer_add_text(report->out, "<p class=\"lead\">One lever after another, each on top of those above it; pale is "
                                 "what it saved.</p>\n");
    report_begin_scroll(report->out, "bars", "Where the time went");
    PlotBars plot = {.title = "Milliseconds a sample, lever by lever",
                     .description = "Each bar is what a sample takes with its lever and all above it.",
                     .axis_label = "ms a sample",
                     .bars = bars,
                     .count = drawn,
                     .waterfall = true};
    TRY(plot_bars(&plot, report->out, err));
    buffer_add_text(report->out, "</div>\n");
    add_bars_table(bars, drawn, report->out);
    return OK;
}

typedef struct Phase {
    const char *name;
    double seconds;
} Phase;

typedef struct Phases {
    Phase *items;
    size_t count;
    double most;                 // the longest phase
    double seconds, evaluations; // of the whole search
} Phases;

static Status phases_read(const Report *report, Phases *phases, Error *err) {
    const json_t *array;
    TRY(report_array(report, "phases", &array, &phases->count, err));
    TRY_NEW(phases->items = arena_array(report->arena, phases->count, sizeof *phases->items, err));
    for (size_t i = 0; i < phases->count; i++) {
        Phase *phase = &phases->items[i];
        const json_t *item = NULL;
        char where[REPORT_WHERE_BYTES];
        phase->seconds = NAN;
        TRY(report_item(array, "phases", i, where, &item, err));
        TRY(report_text(item, where, "name", &phase->name, err));
        TRY(json_get_real(item, where, "seconds", 0, PLOT_VALUE_MOST, &phase->seconds, err));
        phases->most = fmax(phases->most, phase->seconds);
    }
    TRY(report_real(report->evidence, "evidence", "seconds", &phases->seconds, err));
    return report_real(report->evidence, "evidence", "evaluations", &phases->evaluations, err);
}

Status report_phases(Report *report, Error *err) {
    Buffer *out = report->out;
    Phases phases = {0};
    TRY(phases_read(report, &phases, err));
    if (isfinite(phases.evaluations)) {
        buffer_add_text(out, "<p class=\"lead\">Recipes measured: ");
        report_add_number(out, phases.evaluations, 0);
        buffer_add_text(out, "</p>\n");
    }
    buffer_add_text(out, "<table class=\"narrow\">\n<caption class=\"unseen\">Seconds by phase</caption>\n<thead><tr>"
                         "<th scope=\"col\" class=\"text\">Phase</th><th scope=\"col\">seconds</th>"
                         "<td class=\"part\"></td></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < phases.count; i++) {
        double seconds = phases.items[i].seconds;
        buffer_add_text(out, "<tr><th scope=\"row\" class=\"text\">");
        svg_escape(out, phases.items[i].name);
        buffer_add_text(out, "</th><td>");
        report_add_number(out, seconds, 1);
        buffer_format(out, "</td><td class=\"part\"><span style=\"width:%.1f%%\"></span></td></tr>\n",
                      seconds > 0 ? 100 * seconds / phases.most : 0);
    }
    buffer_add_text(out, "</tbody>\n");
    if (isfinite(phases.seconds)) {
        buffer_add_text(out, "<tfoot><tr><th scope=\"row\" class=\"text\">in all</th><td>");
        report_add_number(out, phases.seconds, 1);
        buffer_add_text(out, "</td><td></td></tr></tfoot>\n");
    }
    buffer_add_text(out, "</table>\n");
    return OK;
}
