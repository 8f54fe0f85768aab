// SPDX-License-Identifier: Apache-2.0
// Bars: one row each, label at the left, value at the right end; a waterfall also shows each step down.
#include <math.h>
#include <string.h>

#include "measure/plot.h"
#include "measure/plot_svg.h"

enum { LABELS_RIGHT = 236, BARS_RIGHT = 612, TOP = 56, ROW = 38, BAR = 22, LETTERS_MOST = 28 };

static Status check(const PlotBars *plot, Error *err) {
    if (!plot->count)
        return FAIL(err, ERR_FORMAT, "a plot of bars needs at least one");
    if (plot->count > PLOT_BARS_MOST)
        return FAIL(err, ERR_LIMIT, "a plot has %zu bars, it may have %d", plot->count, PLOT_BARS_MOST);
    for (size_t i = 0; i < plot->count; i++) {
        const PlotBar *bar = &plot->bars[i];
        if (!(bar->low >= 0 && bar->low <= bar->value && bar->value <= bar->high && bar->high <= PLOT_VALUE_MOST))
            return FAIL(err, ERR_FORMAT, "bar %zu, '%s', is no finite number from 0 within its own spread", i + 1,
                        bar->label);
    }
    return OK;
}

static void draw_bar(const PlotBars *plot, size_t index, double per_unit, Buffer *out) {
    const PlotBar *bar = &plot->bars[index];
    double top = TOP + (double)index * ROW, middle = top + BAR / 2.0, width = bar->value * per_unit;
    double end = LABELS_RIGHT + fmax(width, bar->high * per_unit);
    svg_text_most(out, "label", "end", LABELS_RIGHT - 12, bar->note ? middle - 2 : middle + 4, bar->label,
                  strlen(bar->label), LETTERS_MOST);
    svg_text_most(out, "note", "end", LABELS_RIGHT - 12, middle + 12, bar->note, bar->note ? strlen(bar->note) : 0,
                  LETTERS_MOST);
    if (plot->waterfall && index && plot->bars[index - 1].value > bar->value) {
        double before = plot->bars[index - 1].value * per_unit;
        buffer_format(out, "<rect class=\"saved\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\"/>\n",
                      LABELS_RIGHT + width, top, before - width, BAR);
        end = fmax(end, LABELS_RIGHT + before);
    }
    buffer_format(out, "<rect class=\"bar\" x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"%d\"/>\n", LABELS_RIGHT, top,
                  width, BAR);
    if (bar->high > bar->low) {
        double low = LABELS_RIGHT + bar->low * per_unit, high = LABELS_RIGHT + bar->high * per_unit;
        svg_line(out, "whisker", low, middle, high, middle);
        svg_line(out, "whisker", low, middle - 4, low, middle + 4);
        svg_line(out, "whisker", high, middle - 4, high, middle + 4);
    }
    char number[PLOT_NUMBER_BYTES], text[PLOT_NUMBER_BYTES + 32];
    plot_number(bar->value, number);
    double share = plot->waterfall && index ? bar->value / plot->bars[index - 1].value : 0;
    if (share > 0 && share < 1e6) // beyond, it tells nothing
        snprintf(text, sizeof text, "%s (\xC3\x97 %.2f)", number, share);
    else
        snprintf(text, sizeof text, "%s", number);
    svg_text(out, "tick", "start", end + 8, middle + 4, text);
}

Status plot_bars(const PlotBars *plot, Buffer *out, Error *err) {
    TRY(check(plot, err));
    double most = 0;
    for (size_t i = 0; i < plot->count; i++)
        most = fmax(most, plot->bars[i].high);
    double ticks[PLOT_TICKS_MOST], bottom = TOP + (double)plot->count * ROW;
    size_t tick_count = plot_ticks(PLOT_LINEAR, 0, most > 1 / PLOT_VALUE_MOST ? most : 1, 5, ticks);
    double per_unit = (BARS_RIGHT - LABELS_RIGHT) / ticks[tick_count - 1];
    svg_begin(out, plot->title, plot->description, PLOT_WIDTH, bottom + 56);
    char number[PLOT_NUMBER_BYTES];
    for (size_t i = 0; i < tick_count; i++) {
        double at = LABELS_RIGHT + ticks[i] * per_unit;
        svg_line(out, i ? "grid" : "axis", at, TOP - 8, at, bottom);
        svg_text(out, "tick", "middle", at, bottom + 16, plot_number(ticks[i], number));
    }
    svg_text(out, "label", "middle", (LABELS_RIGHT + BARS_RIGHT) / 2.0, bottom + 42, plot->axis_label);
    for (size_t i = 0; i < plot->count; i++)
        draw_bar(plot, i, per_unit, out);
    svg_end(out);
    return buffer_status(out, err);
}
