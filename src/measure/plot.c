// SPDX-License-Identifier: Apache-2.0
// Line charts: the frame (axes, grid, legend) and the series over it. What bars share lies in plot_svg.h.
#include "measure/plot.h"

#include <math.h>
#include <string.h>

#include "measure/plot_svg.h"

enum {
    FRAME_LEFT = 72,
    FRAME_RIGHT = 694,
    FRAME_HEIGHT = 300,
    FRAME_BOTTOM_ROOM = 56,
    LEGEND_ROW = 20,
    TEXT_ADVANCE = 7
};

// An axis laid out: values between the outer ticks onto pixels.
typedef struct Axis {
    PlotScale scale;
    double ticks[PLOT_TICKS_MOST];
    size_t count;
    double from, to; // pixels of the first and the last tick
} Axis;

static double scaled(PlotScale scale, double value) {
    return scale == PLOT_LINEAR ? value : log2(value);
}

static double place(const Axis *axis, double value) {
    double low = scaled(axis->scale, axis->ticks[0]), high = scaled(axis->scale, axis->ticks[axis->count - 1]);
    return axis->from + (axis->to - axis->from) * (scaled(axis->scale, value) - low) / (high - low);
}

// The largest of 1, 2, 5 times a power of ten that is at most `value`, or the next one above.
static double round_125(double value, bool up) {
    double power = pow(10, floor(log10(value))), part = value / power;
    static const double steps[] = {1, 2, 5, 10, 20};
    size_t i = 0;
    while (i + 1 < sizeof steps / sizeof *steps && steps[i + 1] <= part * (1 + 1e-12))
        i++;
    return power * (up && steps[i] < part * (1 - 1e-12) ? steps[i + 1] : steps[i]);
}

static size_t ticks_linear(double low, double high, size_t wanted, double *ticks) {
    double step = round_125((high - low) / (double)wanted, true);
    size_t count = 0;
    for (double k = floor(low / step + 1e-9); count < PLOT_TICKS_MOST; k++) {
        ticks[count++] = k * step;
        if (k * step >= high - 1e-9 * step)
            break;
    }
    return count;
}

static size_t ticks_log2(double low, double high, size_t wanted, double *ticks) {
    double first = floor(log2(low) + 1e-9), last = ceil(log2(high) - 1e-9);
    double step = fmax(1, ceil((last - first) / (double)wanted));
    size_t count = 0;
    for (double k = first; count < PLOT_TICKS_MOST; k += step) {
        ticks[count++] = exp2(k);
        if (k >= last && count > 1)
            break;
    }
    return count;
}

static size_t ticks_log10(double low, double high, double *ticks) {
    double decades = log10(high) - log10(low);
    bool whole = decades > 4;
    double tick = whole ? pow(10, floor(log10(low))) : round_125(low, false);
    double factor = decades > 20 ? pow(10, ceil(decades / 20)) : 10;
    size_t count = 0;
    while (count < PLOT_TICKS_MOST) {
        ticks[count++] = tick;
        if (tick >= high * (1 - 1e-12) && count > 1)
            break;
        tick = whole ? tick * factor : round_125(tick * 1.9, true);
    }
    return count;
}

size_t plot_ticks(PlotScale scale, double low, double high, size_t wanted, double ret_ticks[PLOT_TICKS_MOST]) {
    if (scale == PLOT_LOG2)
        return ticks_log2(low, high, wanted, ret_ticks);
    if (scale == PLOT_LOG10)
        return ticks_log10(low, high, ret_ticks);
    return ticks_linear(low, high, wanted, ret_ticks);
}

static Status check_point(const PlotSeries *series, size_t index, const Plot *plot, Error *err) {
    const PlotPoint *p = &series->points[index];
    bool finite = isfinite(p->x) && isfinite(p->y) && isfinite(p->low) && isfinite(p->high);
    if (!finite || fabs(p->x) > PLOT_VALUE_MOST || fmax(fabs(p->low), fabs(p->high)) > PLOT_VALUE_MOST)
        return FAIL(err, ERR_FORMAT, "point %zu of series '%s' is no finite number of a size that can be drawn",
                    index + 1, series->name);
    if (!(p->low <= p->y && p->y <= p->high))
        return FAIL(err, ERR_FORMAT, "point %zu of series '%s' lies outside its own spread", index + 1, series->name);
    if ((plot->x.scale != PLOT_LINEAR && p->x < 1 / PLOT_VALUE_MOST) ||
        (plot->y.scale != PLOT_LINEAR && p->low < 1 / PLOT_VALUE_MOST))
        return FAIL(err, ERR_FORMAT, "point %zu of series '%s' is not above 0, which a logarithmic axis needs",
                    index + 1, series->name);
    return OK;
}

static Status check(const Plot *plot, Error *err) {
    if (plot->series_count > PLOT_SERIES_MOST)
        return FAIL(err, ERR_LIMIT, "a plot has %zu series, it may have %d", plot->series_count, PLOT_SERIES_MOST);
    size_t points = 0;
    for (size_t s = 0; s < plot->series_count; s++) {
        if (plot->series[s].count > PLOT_POINTS_MOST)
            return FAIL(err, ERR_LIMIT, "series '%s' has %zu points, it may have %d", plot->series[s].name,
                        plot->series[s].count, PLOT_POINTS_MOST);
        points += plot->series[s].count;
        for (size_t i = 0; i < plot->series[s].count; i++)
            TRY(check_point(&plot->series[s], i, plot, err));
    }
    return points ? OK : FAIL(err, ERR_FORMAT, "a plot needs at least one point");
}

typedef struct Range {
    double low, high;
} Range;

static void range_take(Range *range, double low, double high) {
    range->low = fmin(range->low, low);
    range->high = fmax(range->high, high);
}

// A span that an axis can show: never empty, from zero where that is the natural start.
static Range range_open(Range range, PlotScale scale, bool from_zero) {
    if (scale == PLOT_LINEAR && from_zero && range.low > 0)
        range.low = 0;
    if (range.high > range.low)
        return range;
    if (scale != PLOT_LINEAR)
        return (Range){range.low / 2, range.high * 2};
    double room = range.low == 0 ? 1 : fabs(range.low) / 2;
    return (Range){range.low - room, range.high + room};
}

static void axes_lay_out(const Plot *plot, double top, Axis *x, Axis *y) {
    Range xs = {INFINITY, -INFINITY}, ys = xs;
    for (size_t s = 0; s < plot->series_count; s++)
        for (size_t i = 0; i < plot->series[s].count; i++) {
            const PlotPoint *p = &plot->series[s].points[i];
            range_take(&xs, p->x, p->x);
            range_take(&ys, p->low, p->high);
        }
    xs = range_open(xs, plot->x.scale, xs.low < 0.25 * xs.high);
    ys = range_open(ys, plot->y.scale, true);
    *x = (Axis){.scale = plot->x.scale, .from = FRAME_LEFT, .to = FRAME_RIGHT};
    *y = (Axis){.scale = plot->y.scale, .from = top + FRAME_HEIGHT, .to = top};
    x->count = plot_ticks(x->scale, xs.low, xs.high, 8, x->ticks);
    y->count = plot_ticks(y->scale, ys.low, ys.high, 6, y->ticks);
}

static void draw_frame(const Plot *plot, const Axis *x, const Axis *y, Buffer *out) {
    double bottom = y->from, top = y->to;
    char text[PLOT_NUMBER_BYTES];
    for (size_t i = 0; i < y->count; i++) {
        double at = place(y, y->ticks[i]);
        svg_line(out, "grid", FRAME_LEFT, at, FRAME_RIGHT, at);
        svg_text(out, "tick", "end", FRAME_LEFT - 8, at + 4, plot_number(y->ticks[i], text));
    }
    for (size_t i = 0; i < x->count; i++) {
        double at = place(x, x->ticks[i]);
        svg_line(out, "axis", at, bottom, at, bottom + 5);
        svg_text(out, "tick", "middle", at, bottom + 20, plot_number(x->ticks[i], text));
    }
    svg_line(out, "axis", FRAME_LEFT, bottom, FRAME_RIGHT, bottom);
    svg_text(out, "label", "middle", (FRAME_LEFT + FRAME_RIGHT) / 2.0, bottom + 44, plot->x.label);
    buffer_format(out, "<text class=\"label\" text-anchor=\"middle\" transform=\"translate(18 %.1f) rotate(-90)\">",
                  (top + bottom) / 2);
    svg_escape(out, plot->y.label);
    buffer_add_text(out, "</text>\n");
}

// A point's mark; its shape tells the series apart without colour. `index` is the series'.
static void draw_mark(Buffer *out, size_t index, double x, double y) {
    static const char *const shapes[4] = {
        "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
        "M-3.6-3.6h7.2v7.2h-7.2z",
        "M0-4.8L4.6 3.4H-4.6z",
        "M0-5L5 0L0 5L-5 0z",
    };
    buffer_format(out, "<path class=\"mark c%zu\" transform=\"translate(%.1f %.1f)\" d=\"%s\"/>\n", index, x, y,
                  shapes[index % 4]);
}

static void draw_series(const PlotSeries *series, size_t index, const Axis *x, const Axis *y, Buffer *out) {
    buffer_add_text(out, "<g><title>");
    svg_escape(out, series->name);
    buffer_format(out, "</title>\n<path class=\"line c%zu\"%s d=\"", index,
                  series->dashed ? " stroke-dasharray=\"6 5\"" : "");
    for (size_t i = 0; i < series->count; i++)
        buffer_format(out, "%c%.1f %.1f", i ? 'L' : 'M', place(x, series->points[i].x), place(y, series->points[i].y));
    buffer_add_text(out, "\"/>\n");
    char class[16];
    snprintf(class, sizeof class, "spread c%zu", index);
    for (size_t i = 0; i < series->count; i++) {
        const PlotPoint *p = &series->points[i];
        double at = place(x, p->x), low = place(y, p->low), high = place(y, p->high);
        if (p->high > p->low) {
            svg_line(out, class, at, low, at, high);
            svg_line(out, class, at - 3, low, at + 3, low);
            svg_line(out, class, at - 3, high, at + 3, high);
        }
        if (!series->dashed || series->count == 1)
            draw_mark(out, index, at, place(y, p->y));
    }
    buffer_add_text(out, "</g>\n");
}

// Where the next legend entry goes: left to right, then the next row. Returns the rows used; draws where `out` is set.
static size_t legend(const Plot *plot, double top, Buffer *out) {
    double x = FRAME_LEFT;
    size_t row = 0;
    for (size_t s = 0; s < plot->series_count; s++) {
        double wide = 34 + (double)svg_characters(plot->series[s].name) * TEXT_ADVANCE + 16;
        if (x > FRAME_LEFT && x + wide > FRAME_RIGHT) {
            x = FRAME_LEFT;
            row++;
        }
        double y = top + (double)row * LEGEND_ROW;
        if (out) {
            buffer_format(out, "<path class=\"line c%zu\"%s d=\"M%.1f %.1fh26\"/>\n", s,
                          plot->series[s].dashed ? " stroke-dasharray=\"6 5\"" : "", x, y);
            if (!plot->series[s].dashed)
                draw_mark(out, s, x + 13, y);
            svg_text(out, "tick", "start", x + 34, y + 4, plot->series[s].name);
        }
        x += wide;
    }
    return row + 1;
}

Status plot_lines(const Plot *plot, Buffer *out, Error *err) {
    TRY(check(plot, err));
    double legend_top = 54, top = legend_top + (double)legend(plot, 0, NULL) * LEGEND_ROW;
    Axis x, y;
    axes_lay_out(plot, top, &x, &y);
    svg_begin(out, plot->title, plot->description, PLOT_WIDTH, top + FRAME_HEIGHT + FRAME_BOTTOM_ROOM);
    draw_frame(plot, &x, &y, out);
    legend(plot, legend_top, out);
    for (size_t s = 0; s < plot->series_count; s++)
        draw_series(&plot->series[s], s, &x, &y, out);
    svg_end(out);
    return buffer_status(out, err);
}
