// SPDX-License-Identifier: Apache-2.0
// From JSON to the structs of measure/plot.h.
#include "measure/plot_spec.h"

#include <math.h>
#include <string.h>

static const char *const scale_names[PLOT_SCALE_COUNT] = {"linear", "log2", "log10"};

static Status text_need(const json_t *object, const char *name, const char *key, const char **ret, Error *err) {
    *ret = NULL;
    TRY(json_get_text(object, name, key, ret, err));
    return *ret ? OK : FAIL(err, ERR_FORMAT, "%s: '%s' is missing, expected a string", name, key);
}

static Status array_need(const json_t *object, const char *name, const char *key, size_t most, const json_t **ret,
                         Error *err) {
    const json_t *array = json_object_get(object, key);
    if (!json_is_array(array))
        return FAIL(err, ERR_FORMAT, "%s: '%s' is %s, expected an array", name, key, array ? "none" : "missing");
    if (json_array_size(array) > most)
        return FAIL(err, ERR_LIMIT, "%s: '%s' has %zu items, it may have %zu", name, key, json_array_size(array), most);
    *ret = array;
    return OK;
}

static Status axis_read(const json_t *spec, const char *name, const char *key, PlotAxis *axis, Error *err) {
    const json_t *value = json_object_get(spec, key);
    if (!json_is_object(value))
        return FAIL(err, ERR_FORMAT, "%s: '%s' is %s, expected an object with a label", name, key,
                    value ? "none" : "missing");
    TRY(text_need(value, name, "label", &axis->label, err));
    const char *scale = scale_names[0];
    TRY(json_get_text(value, name, "scale", &scale, err));
    int at = 0;
    while (at < PLOT_SCALE_COUNT && strcmp(scale_names[at], scale) != 0)
        at++;
    if (at == PLOT_SCALE_COUNT)
        return FAIL(err, ERR_FORMAT, "%s: '%s' has the scale '%s', expected linear, log2 or log10", name, key, scale);
    axis->scale = (PlotScale)at;
    return OK;
}

static Status point_read(const json_t *value, const char *name, const char *series, size_t index, PlotPoint *point,
                         Error *err) {
    size_t count = json_array_size(value);
    double numbers[4] = {0};
    bool good = count == 2 || count == 4;
    for (size_t i = 0; good && i < count; i++) {
        good = json_is_number(json_array_get(value, i));
        numbers[i] = json_number_value(json_array_get(value, i));
    }
    if (!good)
        return FAIL(err, ERR_FORMAT, "%s: point %zu of series '%s' is none, expected [x, y] or [x, y, low, high]", name,
                    index + 1, series);
    *point =
        (PlotPoint){numbers[0], numbers[1], count == 4 ? numbers[2] : numbers[1], count == 4 ? numbers[3] : numbers[1]};
    return OK;
}

static Status series_read(Arena *arena, const json_t *value, const char *name, PlotSeries *series, Error *err) {
    if (!json_is_object(value))
        return FAIL(err, ERR_FORMAT, "%s: 'series' holds something else than objects", name);
    TRY(text_need(value, name, "name", &series->name, err));
    TRY(json_get_bool(value, name, "dashed", &series->dashed, err));
    const json_t *array;
    TRY(array_need(value, name, "points", PLOT_POINTS_MOST, &array, err));
    series->count = json_array_size(array);
    PlotPoint *points = arena_array(arena, series->count + 1, sizeof *points, err);
    TRY_NEW(points);
    for (size_t i = 0; i < series->count; i++)
        TRY(point_read(json_array_get(array, i), name, series->name, i, &points[i], err));
    series->points = points;
    return OK;
}

static Status lines_draw(Arena *arena, const json_t *spec, const char *name, Buffer *out, Error *err) {
    Plot plot = {0};
    TRY(text_need(spec, name, "title", &plot.title, err));
    TRY(json_get_text(spec, name, "description", &plot.description, err));
    TRY(axis_read(spec, name, "x", &plot.x, err));
    TRY(axis_read(spec, name, "y", &plot.y, err));
    const json_t *array;
    TRY(array_need(spec, name, "series", PLOT_SERIES_MOST, &array, err));
    PlotSeries series[PLOT_SERIES_MOST] = {0};
    plot.series = series;
    plot.series_count = json_array_size(array);
    for (size_t i = 0; i < plot.series_count; i++)
        TRY(series_read(arena, json_array_get(array, i), name, &series[i], err));
    return plot_lines(&plot, out, err);
}

static Status bar_read(const json_t *value, const char *name, PlotBar *bar, Error *err) {
    if (!json_is_object(value))
        return FAIL(err, ERR_FORMAT, "%s: 'bars' holds something else than objects", name);
    TRY(text_need(value, name, "label", &bar->label, err));
    TRY(json_get_text(value, name, "note", &bar->note, err));
    if (!json_is_number(json_object_get(value, "value")))
        return FAIL(err, ERR_FORMAT, "%s: bar '%s' has no number as its 'value'", name, bar->label);
    TRY(json_get_real(value, name, "value", 0, 1e15, &bar->value, err));
    bar->low = bar->high = bar->value;
    TRY(json_get_real(value, name, "low", 0, 1e15, &bar->low, err));
    return json_get_real(value, name, "high", 0, 1e15, &bar->high, err);
}

static Status bars_draw(const json_t *spec, const char *name, bool waterfall, Buffer *out, Error *err) {
    PlotBars plot = {.waterfall = waterfall};
    TRY(text_need(spec, name, "title", &plot.title, err));
    TRY(json_get_text(spec, name, "description", &plot.description, err));
    TRY(text_need(spec, name, "axis", &plot.axis_label, err));
    const json_t *array;
    TRY(array_need(spec, name, "bars", PLOT_BARS_MOST, &array, err));
    PlotBar bars[PLOT_BARS_MOST] = {0};
    plot.bars = bars;
    plot.count = json_array_size(array);
    for (size_t i = 0; i < plot.count; i++)
        TRY(bar_read(json_array_get(array, i), name, &bars[i], err));
    return plot_bars(&plot, out, err);
}

static Status columns_read(Arena *arena, const json_t *spec, const char *name, PlotHeat *heat, Error *err) {
    const json_t *array;
    TRY(array_need(spec, name, "columns", PLOT_HEAT_COLUMNS_MOST, &array, err));
    heat->column_count = json_array_size(array);
    const char **columns = arena_array(arena, heat->column_count + 1, sizeof *columns, err);
    TRY_NEW(columns);
    for (size_t c = 0; c < heat->column_count; c++)
        if (!(columns[c] = json_string_value(json_array_get(array, c))))
            return FAIL(err, ERR_FORMAT, "%s: 'columns' holds something else than strings", name);
    heat->columns = columns;
    return OK;
}

static Status cells_read(const json_t *value, const char *name, const char *label, size_t columns, PlotCell *cells,
                         Error *err) {
    const json_t *array;
    TRY(array_need(value, name, "values", PLOT_HEAT_COLUMNS_MOST, &array, err));
    if (json_array_size(array) != columns)
        return FAIL(err, ERR_FORMAT, "%s: row '%s' has %zu values, and there are %zu columns", name, label,
                    json_array_size(array), columns);
    for (size_t c = 0; c < columns; c++) {
        const json_t *number = json_array_get(array, c);
        if (!json_is_number(number) && !json_is_null(number))
            return FAIL(err, ERR_FORMAT, "%s: row '%s' holds something else than numbers and null", name, label);
        cells[c].value = json_is_number(number) ? json_number_value(number) : (double)NAN;
    }
    return OK;
}

static Status heat_row_read(const json_t *value, const char *name, const PlotHeat *heat, PlotHeatRow *row,
                            PlotCell *cells, Error *err) {
    const char *group = "";
    if (!json_is_object(value))
        return FAIL(err, ERR_FORMAT, "%s: 'rows' holds something else than objects", name);
    TRY(text_need(value, name, "label", &row->label, err));
    TRY(json_get_text(value, name, "group", &group, err));
    row->stem = strlen(group);
    if (strncmp(row->label, group, row->stem) != 0)
        return FAIL(err, ERR_FORMAT, "%s: row '%s' is in the group '%s', which its label does not begin with", name,
                    row->label, group);
    return cells_read(value, name, row->label, heat->column_count, cells, err);
}

static Status heat_draw(Arena *arena, const json_t *spec, const char *name, Buffer *out, Error *err) {
    PlotHeat heat = {0};
    TRY(text_need(spec, name, "title", &heat.title, err));
    TRY(json_get_text(spec, name, "description", &heat.description, err));
    TRY(text_need(spec, name, "legend", &heat.legend, err));
    TRY(columns_read(arena, spec, name, &heat, err));
    const json_t *array;
    TRY(array_need(spec, name, "rows", PLOT_HEAT_ROWS_MOST, &array, err));
    heat.row_count = json_array_size(array);
    PlotHeatRow *rows = arena_array(arena, heat.row_count + 1, sizeof *rows, err);
    TRY_NEW(rows);
    PlotCell *cells = arena_array(arena, heat.row_count * heat.column_count + 1, sizeof *cells, err);
    TRY_NEW(cells);
    for (size_t r = 0; r < heat.row_count; r++)
        TRY(heat_row_read(json_array_get(array, r), name, &heat, &rows[r], cells + r * heat.column_count, err));
    heat.rows = rows;
    heat.cells = cells;
    return plot_heat(&heat, out, err);
}

Status plot_spec_draw(Arena *arena, const json_t *spec, const char *name, Buffer *out, Error *err) {
    if (!json_is_object(spec))
        return FAIL(err, ERR_FORMAT, "%s: expected a JSON object that describes a plot", name);
    const char *kind;
    TRY(text_need(spec, name, "kind", &kind, err));
    if (strcmp(kind, "lines") == 0)
        return lines_draw(arena, spec, name, out, err);
    if (strcmp(kind, "bars") == 0 || strcmp(kind, "waterfall") == 0)
        return bars_draw(spec, name, kind[0] == 'w', out, err);
    if (strcmp(kind, "heat") == 0)
        return heat_draw(arena, spec, name, out, err);
    return FAIL(err, ERR_FORMAT, "%s: 'kind' is '%s', expected lines, bars, waterfall or heat", name, kind);
}
