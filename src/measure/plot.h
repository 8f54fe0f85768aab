// SPDX-License-Identifier: Apache-2.0
// Plot: standalone SVG pictures of measured numbers, for reports and documents: lines over an axis, bars, heat maps.
//
//     PlotSeries series = {.name = "hone INT8", .points = points, .count = 5};
//     Plot plot = {.title = "Cost by batch", .x = {"batch", PLOT_LOG2}, .y = {"ms per summary", PLOT_LINEAR},
//                  .series = &series, .series_count = 1};
//     TRY(plot_lines(&plot, &svg, err));
//
// A picture is 720 units wide (a heat map as its columns need), scales to any size, follows the reader's choice
// of a light or dark background, names its fonts by family only, and carries its title and description for those who
// cannot see it. It may also stand in a page, beside others. Series differ in colour and in the shape of their points.
// Texts may be any bytes: they are escaped, and what is no UTF-8 or no character of XML becomes U+FFFD. Nothing but the
// buffer is allocated.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

typedef enum PlotScale {
    PLOT_LINEAR, // a value axis begins at 0 unless there are negative values
    PLOT_LOG2,   // ticks at powers of two
    PLOT_LOG10,  // ticks at 1, 2, 5 times powers of ten
    PLOT_SCALE_COUNT
} PlotScale;

typedef struct PlotAxis {
    const char *label;
    PlotScale scale;
} PlotAxis;

// A value with its spread; low = high draws no spread bar.
typedef struct PlotPoint {
    double x, y, low, high;
} PlotPoint;

typedef struct PlotSeries {
    const char *name;
    const PlotPoint *points; // in the order in which the line joins them
    size_t count;
    bool dashed; // a bound or a reference rather than a measurement
} PlotSeries;

enum { PLOT_SERIES_MOST = 8, PLOT_POINTS_MOST = 4096, PLOT_BARS_MOST = 64, PLOT_TICKS_MOST = 24 };

typedef struct Plot {
    const char *title, *description; // the description may be NULL
    PlotAxis x, y;
    const PlotSeries *series;
    size_t series_count;
} Plot;

// Appends one SVG document. ERR_FORMAT names the series and point that cannot be drawn (no finite number, or none above
// zero on a logarithmic axis) or says that there is none; ERR_LIMIT beyond the numbers above.
MUST_CHECK Status plot_lines(const Plot *plot, Buffer *out, Error *err);

typedef struct PlotBar {
    const char *label;
    const char *note; // a few words under the label, or NULL
    double value, low, high;
} PlotBar;

typedef struct PlotBars {
    const char *title, *description, *axis_label;
    const PlotBar *bars; // from the top
    size_t count;
    // Each bar also shows, paler, what it lacks to the bar before, and says its share of it: how a chain of measured
    // changes adds up.
    bool waterfall;
} PlotBars;

// Appends one SVG document of horizontal bars from 0. ERR_FORMAT for a value that is negative or not finite, or for no
// bar; ERR_LIMIT.
MUST_CHECK Status plot_bars(const PlotBars *plot, Buffer *out, Error *err);

typedef struct PlotCell {
    double value;     // NaN: nothing is drawn
    const char *note; // what its tooltip says besides, or NULL
} PlotCell;

typedef struct PlotHeatRow {
    const char *label;
    size_t stem; // bytes of the label that its neighbours share: written once above them; all: "as a whole"; 0: none
} PlotHeatRow;

enum { PLOT_HEAT_ROWS_MOST = 1024, PLOT_HEAT_COLUMNS_MOST = 32 };

typedef struct PlotHeat {
    const char *title, *description;
    const char *legend; // what the numbers are
    const PlotHeatRow *rows;
    size_t row_count;
    const char *const *columns; // labels; broken into two lines at the last blank
    size_t column_count;
    const PlotCell *cells; // [row_count, column_count]
    double most;           // has the strongest shade, as has what is larger; 0: the largest of the cells
} PlotHeat;

// Appends one SVG document: a table whose cells hold their numbers and are coloured by size, half a power of ten a
// shade, in one colour above zero and another below. ERR_FORMAT names the cell that is infinite; ERR_LIMIT.
MUST_CHECK Status plot_heat(const PlotHeat *heat, Buffer *out, Error *err);

// Chooses ticks from `low` to `high` (low < high; above 0 on a logarithmic scale), at most about `wanted`, and returns
// how many; the first is at or below `low`, the last at or above `high`.
size_t plot_ticks(PlotScale scale, double low, double high, size_t wanted, double ret_ticks[PLOT_TICKS_MOST]);
