// SPDX-License-Identifier: Apache-2.0
// Sensitivity: what every layer loses by every change, as heat maps: changes of weights in one, what leaves parts of
// the model out in another, shaded alike.
#include <math.h>
#include <string.h>

#include "compress/report_part.h"
#include "measure/plot.h"
#include "measure/plot_svg.h"

enum { CHANGES_MOST = 65536 };
#define LOSS_MOST 1e12 // nats: a thousand times that can be drawn

typedef struct Change {
    const char *layer, *change;
    bool structural;
    double output_error, loss, rouge, bytes, ms;
} Change;

typedef struct Changes {
    Change *items;
    size_t count;
    double most;            // the largest loss but for whole layers left out: next to those all else would be pale
    double tokens, samples; // that were looked at
} Changes;

// A map's rows and columns in the order in which the document has them.
typedef struct Map {
    PlotHeatRow rows[PLOT_HEAT_ROWS_MOST];
    const char *columns[PLOT_HEAT_COLUMNS_MOST];
    size_t row_count, column_count;
    PlotCell *cells;
} Map;

static Status changes_read(const Report *report, Changes *changes, Error *err) {
    char where[REPORT_WHERE_BYTES];
    const json_t *sensitivity, *array = NULL;
    TRY(report_object(report->evidence, "evidence", "sensitivity", where, &sensitivity, err));
    TRY(report_real(sensitivity, where, "tokens", &changes->tokens, err));
    TRY(report_real(sensitivity, where, "samples", &changes->samples, err));
    TRY(json_get_array(sensitivity, where, "rows", &array, err));
    changes->count = json_array_size(array);
    if (changes->count > CHANGES_MOST)
        return FAIL(err, ERR_LIMIT, "%s: 'rows' has %zu items, it may have %d", where, changes->count, CHANGES_MOST);
    TRY_NEW(changes->items = arena_array(report->arena, changes->count, sizeof *changes->items, err));
    for (size_t i = 0; i < changes->count; i++) {
        Change *change = &changes->items[i];
        const json_t *item = NULL;
        const char *kind;
        TRY(report_item(array, "sensitivity.rows", i, where, &item, err));
        TRY(report_text(item, where, "layer", &change->layer, err));
        TRY(report_text(item, where, "change", &change->change, err));
        TRY(report_text(item, where, "kind", &kind, err));
        TRY(report_real(item, where, "output_error", &change->output_error, err));
        change->loss = NAN;
        TRY(json_get_real(item, where, "loss_change", -LOSS_MOST, LOSS_MOST, &change->loss, err));
        TRY(report_real(item, where, "rouge_change", &change->rouge, err));
        TRY(report_real(item, where, "bytes_saved", &change->bytes, err));
        TRY(report_real(item, where, "ms_saved", &change->ms, err));
        bool whole = strcmp(kind, "layer") == 0;
        change->structural = whole || strcmp(kind, "units") == 0;
        change->loss *= 1000; // nats a token are too large a unit
        if (!whole)
            changes->most = fmax(changes->most, fabs(change->loss));
    }
    return OK;
}

// What a cell's tooltip says besides the loss.
static Status note_make(const Report *report, const Change *change, const char **ret_note, Error *err) {
    Buffer text = {0};
    if (isfinite(change->output_error)) {
        buffer_add_text(&text, "output error ");
        report_add_short(&text, change->output_error);
        buffer_add_char(&text, '\n');
    }
    if (isfinite(change->rouge)) {
        buffer_add_text(&text, "loss of ROUGE ");
        report_add_percent(&text, change->rouge, 2);
        buffer_add_char(&text, '\n');
    }
    if (isfinite(change->bytes)) {
        buffer_add_text(&text, "saves ");
        report_add_number(&text, change->bytes / 1e6, 2);
        buffer_add_text(&text, "\xC2\xA0MB");
    }
    if (isfinite(change->ms)) {
        buffer_add_text(&text, isfinite(change->bytes) ? ", " : "saves ");
        report_add_number(&text, change->ms, 3);
        buffer_add_text(&text, "\xC2\xA0ms");
    }
    Status status = buffer_status(&text, err);
    char *note = status == OK ? arena_copy_text(report->arena, text.bytes ? text.data : "", text.bytes, err) : NULL;
    buffer_done(&text);
    TRY_NEW(note);
    *ret_note = note;
    return OK;
}

// The place of `text` among the labels; `count` where it is new. Documents have the rows of a layer one after another,
// so the search begins at the end.
static size_t row_find(const Map *map, const char *text) {
    for (size_t i = map->row_count; i-- > 0;)
        if (strcmp(map->rows[i].label, text) == 0)
            return i;
    return map->row_count;
}

static size_t column_find(const Map *map, const char *text) {
    size_t i = 0;
    while (i < map->column_count && strcmp(map->columns[i], text) != 0)
        i++;
    return i;
}

// Takes the change's layer and kind of change as a row and a column.
static Status map_take(Map *map, const Change *change, Error *err) {
    size_t row = row_find(map, change->layer), column = column_find(map, change->change);
    if (row == PLOT_HEAT_ROWS_MOST || column == PLOT_HEAT_COLUMNS_MOST)
        return FAIL(err, ERR_LIMIT, "evidence: 'sensitivity' has more than %d layers or %d changes",
                    PLOT_HEAT_ROWS_MOST, PLOT_HEAT_COLUMNS_MOST);
    if (row == map->row_count)
        map->rows[map->row_count++] = (PlotHeatRow){change->layer, report_stem_bytes(change->layer)};
    if (column == map->column_count)
        map->columns[map->column_count++] = change->change;
    return OK;
}

static Status add_map(Report *report, const Changes *changes, bool structural, const char *title, Error *err) {
    Map *map = arena_array(report->arena, 1, sizeof *map, err);
    TRY_NEW(map);
    for (size_t i = 0; i < changes->count; i++)
        if (changes->items[i].structural == structural && isfinite(changes->items[i].loss))
            TRY(map_take(map, &changes->items[i], err));
    if (!map->row_count)
        return OK;
    TRY_NEW(map->cells = arena_array(report->arena, map->row_count * map->column_count, sizeof *map->cells, err));
    for (size_t i = 0; i < map->row_count * map->column_count; i++)
        map->cells[i].value = NAN;
    for (size_t i = 0; i < changes->count; i++) {
        const Change *change = &changes->items[i];
        if (change->structural != structural || !isfinite(change->loss))
            continue;
        size_t at = row_find(map, change->layer) * map->column_count + column_find(map, change->change);
        map->cells[at].value = change->loss;
        TRY(note_make(report, change, &map->cells[at].note, err));
    }
    report_begin_scroll(report->out, "cells", title);
    PlotHeat heat = {.title = title,
                     .description =
                         "A row for every layer, a column for every change; the table below has the numbers.",
                     .legend = "loss gained, in thousandths of a nat a token; blue where it became less",
                     .rows = map->rows,
                     .row_count = map->row_count,
                     .columns = map->columns,
                     .column_count = map->column_count,
                     .cells = map->cells,
                     .most = changes->most};
    TRY(plot_heat(&heat, report->out, err));
    buffer_add_text(report->out, "</div>\n");
    return OK;
}

static void add_changes_table(const Changes *changes, Buffer *out) {
    buffer_format(out, "<details><summary>All %zu changes in numbers</summary>\n", changes->count);
    report_begin_scroll(out, "pinned", "All changes in numbers");
    buffer_add_text(
        out, "<table>\n<thead><tr><th scope=\"col\" class=\"text\">Layer</th>"
             "<th scope=\"col\" class=\"text\">change</th><th scope=\"col\">loss gained,<br/>10\xE2\x81\xBB\xC2\xB3 "
             "nats</th><th scope=\"col\">output<br/>error</th><th scope=\"col\">loss of<br/>ROUGE, %</th>"
             "<th scope=\"col\">MB<br/>saved</th><th scope=\"col\">ms<br/>saved</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < changes->count; i++) {
        const Change *change = &changes->items[i];
        buffer_add_text(out, "<tr><th scope=\"row\" class=\"text\">");
        svg_escape(out, change->layer);
        buffer_add_text(out, "</th><td class=\"text\">");
        svg_escape(out, change->change);
        buffer_add_text(out, "</td><td>");
        report_add_number(out, change->loss, 2);
        buffer_add_text(out, "</td><td>");
        report_add_short(out, change->output_error);
        buffer_add_text(out, "</td><td>");
        report_add_number(out, change->rouge * 100, 2);
        buffer_add_text(out, "</td><td>");
        report_add_number(out, change->bytes / 1e6, 2);
        buffer_add_text(out, "</td><td>");
        report_add_number(out, change->ms, 3);
        buffer_add_text(out, "</td></tr>\n");
    }
    buffer_add_text(out, "</tbody>\n</table>\n</div>\n</details>\n");
}

Status report_sensitivity(Report *report, Error *err) {
    Changes changes = {0};
    TRY(changes_read(report, &changes, err));
    if (!changes.count) {
        buffer_add_text(report->out, "<p class=\"lead\">Nothing was measured.</p>\n");
        return OK;
    }
    buffer_add_text(report->out,
                    "<p class=\"lead\">What the teacher-forced loss gains when one layer alone is changed, "
                    "the rest as it was");
    if (isfinite(changes.tokens + changes.samples)) {
        buffer_add_text(report->out, "; over ");
        report_add_number(report->out, changes.tokens, 0);
        buffer_add_text(report->out, " tokens of ");
        report_add_number(report->out, changes.samples, 0);
        buffer_add_text(report->out, " references");
    }
    buffer_add_text(report->out, ".</p>\n");
    buffer_add_text(report->out, "<div class=\"maps\">\n");
    TRY(add_map(report, &changes, false, "Weights changed", err));
    TRY(add_map(report, &changes, true, "Parts left out", err));
    buffer_add_text(report->out, "</div>\n");
    add_changes_table(&changes, report->out);
    return OK;
}
