// SPDX-License-Identifier: Apache-2.0
// Heat maps: a table of numbers whose cells are coloured by size, half a power of ten a shade.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "measure/plot.h"
#include "measure/plot_svg.h"

enum {
    SHADES = 9,
    SHADES_A_DECADE = 2,
    BOX = 30,  // of a shade in the legend
    LEFT = 20, // as the title's
    ROW = 20,
    APART = 7,   // between groups of rows
    ADVANCE = 7, // of a letter, generously
    TITLE_ADVANCE = 10,
    LABEL_LETTERS_MOST = 40,
    COLUMN_LETTERS_MOST = 16,
    CELL_LEAST = 46,
    LEGEND_TOP = 62,
    COLUMNS_BOTTOM = 136
};

// Shades of orange for what is above zero, of blue for what is below: the colour-blind tell them apart, and lightness
// alone tells their order. Numbers on them have a contrast of 4.5.
static const char style[] =
    "<style>\n"
    ".hone-plot .h0{fill:#fdf4ea}.hone-plot .h1{fill:#fbe8d2}.hone-plot .h2{fill:#f8d8b3}\n"
    ".hone-plot .h3{fill:#f4c48c}.hone-plot .h4{fill:#eeac63}.hone-plot .h5{fill:#e5923f}\n"
    ".hone-plot .h6{fill:#d97f2c}.hone-plot .h7{fill:#9c4a10}.hone-plot .h8{fill:#74350c}\n"
    ".hone-plot .g0{fill:#eff5fa}.hone-plot .g1{fill:#dcebf5}.hone-plot .g2{fill:#c2ddee}\n"
    ".hone-plot .g3{fill:#a3cbe5}.hone-plot .g4{fill:#7fb5d9}.hone-plot .g5{fill:#5c9fcd}\n"
    ".hone-plot .g6{fill:#4590c2}.hone-plot .g7{fill:#14578a}.hone-plot .g8{fill:#0c3f66}\n"
    ".hone-plot .group{font-weight:600}\n"
    ".hone-plot .cell{font-size:11px;fill:#1f2328}.hone-plot .strong .cell{fill:#ffffff}\n"
    "@media screen and (prefers-color-scheme:dark){\n"
    ".hone-plot .h0{fill:#1a1712}.hone-plot .h1{fill:#2a1f13}.hone-plot .h2{fill:#3f2a13}\n"
    ".hone-plot .h3{fill:#573512}.hone-plot .h4{fill:#704210}.hone-plot .h5{fill:#8a5010}\n"
    ".hone-plot .h6{fill:#e08a35}.hone-plot .h7{fill:#f0a75c}.hone-plot .h8{fill:#ffc98f}\n"
    ".hone-plot .g0{fill:#12191f}.hone-plot .g1{fill:#13232f}.hone-plot .g2{fill:#143144}\n"
    ".hone-plot .g3{fill:#14405c}.hone-plot .g4{fill:#145075}.hone-plot .g5{fill:#15608e}\n"
    ".hone-plot .g6{fill:#5fb0e6}.hone-plot .g7{fill:#8cc6ee}.hone-plot .g8{fill:#b5dbf6}\n"
    ".hone-plot .cell{fill:#e6edf3}.hone-plot .bold .cell,.hone-plot .strong .cell{fill:#0d1117}}\n"
    "</style>\n";

// The picture laid out: columns from `left`, each `cell` wide.
typedef struct Grid {
    double left, cell, most;
} Grid;

static Status check(const PlotHeat *heat, Error *err) {
    if (!heat->row_count || !heat->column_count)
        return FAIL(err, ERR_FORMAT, "a heat map needs at least one row and one column");
    if (heat->row_count > PLOT_HEAT_ROWS_MOST || heat->column_count > PLOT_HEAT_COLUMNS_MOST)
        return FAIL(err, ERR_LIMIT, "a heat map has %zu rows and %zu columns, it may have %d and %d", heat->row_count,
                    heat->column_count, PLOT_HEAT_ROWS_MOST, PLOT_HEAT_COLUMNS_MOST);
    for (size_t i = 0; i < heat->row_count * heat->column_count; i++)
        if (!isnan(heat->cells[i].value) && !(fabs(heat->cells[i].value) <= PLOT_VALUE_MOST))
            return FAIL(err, ERR_FORMAT, "the cell of '%s' and '%s' is no number of a size that can be drawn",
                        heat->rows[i / heat->column_count].label, heat->columns[i % heat->column_count]);
    return OK;
}

// The part of a row's label beside its cells: what its group's heading does not say.
static const char *row_label(const PlotHeatRow *row) {
    const char *rest = row->label + row->stem;
    if (row->stem && !*rest)
        return "as a whole";
    return row->stem && *rest == '.' ? rest + 1 : rest;
}

// Whether a row begins another group than the row above has.
static bool group_begins(const PlotHeat *heat, size_t row) {
    const PlotHeatRow *here = &heat->rows[row], *above = row ? here - 1 : NULL;
    return above && above->stem == here->stem ? strncmp(above->label, here->label, here->stem) != 0
                                              : above || here->stem;
}

// What stands above a row beside the rows before it.
static double room_above(const PlotHeat *heat, size_t row) {
    if (!group_begins(heat, row))
        return 0;
    return (row ? APART : 0) + (heat->rows[row].stem ? ROW : 0);
}

// The last blank of a column's label, where it is broken in two lines; NULL: one line.
static const char *label_break(const char *label) {
    return strrchr(label, ' ');
}

static Grid lay_out(const PlotHeat *heat) {
    size_t letters = 0, column_letters = 0;
    for (size_t r = 0; r < heat->row_count; r++) {
        size_t count = svg_characters(row_label(&heat->rows[r]));
        letters = count > letters ? count : letters;
    }
    for (size_t c = 0; c < heat->column_count; c++) {
        const char *label = heat->columns[c], *second = label_break(label);
        size_t last = svg_characters(second ? second + 1 : label),
               first = second ? svg_characters(label) - last - 1 : 0;
        size_t count = first > last ? first : last;
        column_letters = count > column_letters ? count : column_letters;
    }
    letters = letters < LABEL_LETTERS_MOST ? letters : LABEL_LETTERS_MOST;
    column_letters = column_letters < COLUMN_LETTERS_MOST ? column_letters : COLUMN_LETTERS_MOST;
    Grid grid = {.left = LEFT + (double)letters * ADVANCE + 8,
                 .cell = fmax(CELL_LEAST, (double)column_letters * ADVANCE + 6),
                 .most = heat->most};
    for (size_t i = 0; heat->most <= 0 && i < heat->row_count * heat->column_count; i++)
        grid.most = fmax(grid.most, fabs(heat->cells[i].value)); // fmax passes NaN over
    return grid;
}

// 0 for the palest: half a power of ten a shade below the largest.
static int shade_of(const Grid *grid, double value) {
    double below = fabs(value) > 0 && grid->most > 0 ? log10(grid->most / fabs(value)) : SHADES;
    double shade = SHADES - 1 - floor(below * SHADES_A_DECADE + 1e-9);
    return (int)fmin(SHADES - 1, fmax(0, shade));
}

// Classes of a cell; beyond the middle the dark theme, and further the light one, too, turn the number's colour.
static void add_group(Buffer *out, int shade) {
    buffer_format(out, "<g%s>", shade >= 7 ? " class=\"strong\"" : shade == 6 ? " class=\"bold\"" : "");
}

static void add_rectangle(Buffer *out, double value, int shade, double x, double y, double wide, double high) {
    buffer_format(out, "<rect class=\"%c%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
                  value < 0 ? 'g' : 'h', shade, x, y, wide, high);
}

// The shades with the values where whole powers of ten of the largest begin.
static void draw_legend(const PlotHeat *heat, const Grid *grid, Buffer *out) {
    char text[PLOT_NUMBER_BYTES];
    for (int shade = 0; shade < SHADES; shade++) {
        double x = LEFT + shade * BOX;
        add_rectangle(out, 1, shade, x, LEGEND_TOP, BOX - 1, 12);
        if (shade % SHADES_A_DECADE == 0 && grid->most > 0) {
            double most = grid->most / pow(10, (SHADES - 1 - shade) / (double)SHADES_A_DECADE);
            if (most < 0.005) // a shade begins above 0
                snprintf(text, sizeof text, "%.1g", most);
            else
                plot_short(most, text);
            svg_text(out, "tick", shade ? "middle" : "start", shade ? x + BOX / 2.0 : x, LEGEND_TOP + 26, text);
        }
    }
    buffer_add_char(out, '\n');
    svg_text(out, "tick", "start", LEFT, LEGEND_TOP - 10, heat->legend);
}

static void draw_columns(const PlotHeat *heat, const Grid *grid, Buffer *out) {
    for (size_t c = 0; c < heat->column_count; c++) {
        const char *label = heat->columns[c], *second = label_break(label);
        double middle = grid->left + ((double)c + 0.5) * grid->cell;
        if (second)
            svg_text_most(out, "tick", "middle", middle, COLUMNS_BOTTOM - 22, label, (size_t)(second - label),
                          COLUMN_LETTERS_MOST);
        const char *last = second ? second + 1 : label;
        svg_text_most(out, "tick", "middle", middle, COLUMNS_BOTTOM - 8, last, strlen(last), COLUMN_LETTERS_MOST);
    }
}

static void draw_cell(const PlotHeat *heat, size_t row, size_t column, const Grid *grid, double top, Buffer *out) {
    const PlotCell *cell = &heat->cells[row * heat->column_count + column];
    if (isnan(cell->value))
        return;
    char text[PLOT_NUMBER_BYTES];
    plot_short(cell->value, text);
    int shade = shade_of(grid, cell->value);
    double x = grid->left + (double)column * grid->cell;
    add_group(out, shade);
    buffer_add_text(out, "<title>");
    svg_escape(out, heat->rows[row].label);
    buffer_add_text(out, ", ");
    svg_escape(out, heat->columns[column]);
    buffer_format(out, ": %s", text);
    if (cell->note) {
        buffer_add_char(out, '\n');
        svg_escape(out, cell->note);
    }
    buffer_add_text(out, "</title>");
    add_rectangle(out, cell->value, shade, x, top, grid->cell - 1, ROW - 1);
    buffer_format(out, "<text class=\"cell\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">%s</text></g>\n",
                  x + (grid->cell - 1) / 2, top + 13.5, text);
}

Status plot_heat(const PlotHeat *heat, Buffer *out, Error *err) {
    TRY(check(heat, err));
    Grid grid = lay_out(heat);
    double bottom = COLUMNS_BOTTOM;
    for (size_t r = 0; r < heat->row_count; r++)
        bottom += ROW + room_above(heat, r);
    double words =
        fmax((double)svg_characters(heat->legend) * ADVANCE, (double)svg_characters(heat->title) * TITLE_ADVANCE);
    double width = fmax(grid.left + (double)heat->column_count * grid.cell, LEFT + fmax(words, SHADES * BOX)) + LEFT;
    svg_begin(out, heat->title, heat->description, width, bottom + 20);
    buffer_add_text(out, style);
    draw_legend(heat, &grid, out);
    draw_columns(heat, &grid, out);
    double top = COLUMNS_BOTTOM;
    for (size_t r = 0; r < heat->row_count; r++) {
        const PlotHeatRow *row = &heat->rows[r];
        const char *label = row_label(row);
        top += room_above(heat, r);
        if (row->stem && group_begins(heat, r))
            svg_text_most(out, "group", "start", LEFT, top - 6, row->label, row->stem, LABEL_LETTERS_MOST);
        svg_text_most(out, "tick", "end", grid.left - 8, top + 13.5, label, strlen(label), LABEL_LETTERS_MOST);
        for (size_t c = 0; c < heat->column_count; c++)
            draw_cell(heat, r, c, &grid, top, out);
        top += ROW;
    }
    svg_end(out);
    return buffer_status(out, err);
}
