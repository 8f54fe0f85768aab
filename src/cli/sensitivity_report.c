// SPDX-License-Identifier: Apache-2.0
// Rows of a sensitivity laid out by layer and change.
#include "cli/sensitivity_report.h"

#include <math.h>
#include <string.h>

#include "measure/plot.h"

enum {
    LINE = 120, // columns of a terminal that tables keep to
    CELL = 9,
    NAMED = 3 // layers of the closing sentence
};

// Nats a token are too large a unit.
static double thousandths(double nats) {
    return nats * 1000;
}

// Rows by layer and change: "int8" of all weights, "-30%" of zeros, neurons and heads, "dropped".
typedef struct ChangeTable {
    const char **layers, **columns;
    size_t layer_count, column_count;
    const SensitivityRow **cells; // [layers, columns], NULL where nothing was measured
} ChangeTable;

static const char *column_label(const SensitivityRow *row, char room[32]) {
    if (row->kind == CHANGE_SCHEME || row->kind == CHANGE_LAYER)
        return row->change;
    snprintf(room, 32, "-%.3g%%", row->amount * 100);
    return room;
}

static size_t column_find(const ChangeTable *table, const char *label) {
    size_t c = 0;
    while (c < table->column_count && strcmp(table->columns[c], label) != 0)
        c++;
    return c;
}

static Status column_add(Arena *arena, const SensitivityRow *row, ChangeTable *table, Error *err) {
    char room[32];
    const char *label = column_label(row, room);
    if (column_find(table, label) < table->column_count)
        return OK;
    TRY_NEW(table->columns[table->column_count] = arena_copy_text(arena, label, strlen(label), err));
    table->column_count++;
    return OK;
}

// Columns in the order asked for, whole layers last.
static Status columns_make(Arena *arena, const SensitivityOptions *options, ChangeTable *table, Error *err) {
    TRY_NEW(table->columns =
                arena_array(arena, options->scheme_count + options->amount_count + 1, sizeof *table->columns, err));
    for (size_t s = 0; s < options->scheme_count; s++) {
        SensitivityRow row = {.kind = CHANGE_SCHEME, .change = weight_scheme_name(options->schemes[s])};
        TRY(column_add(arena, &row, table, err));
    }
    for (size_t a = 0; a < options->amount_count; a++) {
        SensitivityRow row = {.kind = CHANGE_UNITS, .amount = options->amounts[a]};
        TRY(column_add(arena, &row, table, err));
    }
    return column_add(arena, &(SensitivityRow){.kind = CHANGE_LAYER, .change = "dropped"}, table, err);
}

static Status table_make(Arena *arena, const SensitivityOptions *options, const Sensitivity *sensitivity,
                         ChangeTable *ret_table, Error *err) {
    ChangeTable table = {0};
    TRY(columns_make(arena, options, &table, err));
    TRY_NEW(table.layers = arena_array(arena, sensitivity->count + 1, sizeof *table.layers, err));
    TRY_NEW(table.cells = arena_array(arena, (sensitivity->count + 1) * table.column_count, sizeof *table.cells, err));
    for (size_t i = 0; i < sensitivity->count; i++) { // rows of a layer are neighbours
        const SensitivityRow *row = &sensitivity->rows[i];
        char room[32];
        if (!table.layer_count || strcmp(table.layers[table.layer_count - 1], row->layer) != 0)
            table.layers[table.layer_count++] = row->layer;
        size_t column = column_find(&table, column_label(row, room));
        table.cells[(table.layer_count - 1) * table.column_count + column] = row;
    }
    *ret_table = table;
    return OK;
}

static double loss_of(const SensitivityRow *row) {
    return thousandths(row->loss_change);
}

static double rouge_of(const SensitivityRow *row) {
    return row->rouge_change * 100;
}

static double megabytes_of(const SensitivityRow *row) {
    return row->bytes_saved / 1e6;
}

static double ms_of(const SensitivityRow *row) {
    return row->ms_saved;
}

static void add_number(Buffer *out, double value) {
    char text[32];
    snprintf(text, sizeof text, "%.*f", fabs(value) < 999.995 ? 2 : 0, value);
    buffer_format(out, "%*s", CELL, strcmp(text, "-0.00") == 0 ? "0.00" : text);
}

// As many columns as a line holds, and the others below.
static void add_table(const ChangeTable *table, double (*number)(const SensitivityRow *row), Buffer *out) {
    size_t wide = strlen("layer");
    for (size_t l = 0; l < table->layer_count; l++)
        wide = strlen(table->layers[l]) > wide ? strlen(table->layers[l]) : wide;
    size_t each = wide + 2 * CELL < LINE ? (LINE - wide) / CELL : 1;
    for (size_t first = 0; first < table->column_count; first += each) {
        size_t last = first + each < table->column_count ? first + each : table->column_count;
        buffer_format(out, "%-*s", (int)wide, "layer");
        for (size_t c = first; c < last; c++)
            buffer_format(out, "%*s", CELL, table->columns[c]);
        buffer_add_char(out, '\n');
        for (size_t l = 0; l < table->layer_count; l++) {
            buffer_format(out, "%-*s", (int)wide, table->layers[l]);
            for (size_t c = first; c < last; c++) {
                const SensitivityRow *row = table->cells[l * table->column_count + c];
                if (row && isfinite(number(row)))
                    add_number(out, number(row));
                else
                    buffer_format(out, "%*s", CELL, "");
            }
            while (out->bytes && out->data && out->data[out->bytes - 1] == ' ')
                out->data[--out->bytes] = '\0';
            buffer_add_char(out, '\n');
        }
    }
}

// The layers that lose most by schemes, or by what is left out; each once, with its worst change.
static size_t worst_find(const Sensitivity *sensitivity, bool schemes, const SensitivityRow *ret_rows[NAMED]) {
    size_t count = 0;
    while (count < NAMED) {
        const SensitivityRow *worst = NULL;
        for (size_t i = 0; i < sensitivity->count; i++) {
            const SensitivityRow *row = &sensitivity->rows[i];
            bool named = (row->kind == CHANGE_SCHEME) != schemes || !(row->loss_change > 0);
            for (size_t n = 0; n < count; n++)
                named |= strcmp(ret_rows[n]->layer, row->layer) == 0;
            if (!named && (!worst || row->loss_change > worst->loss_change))
                worst = row;
        }
        if (!worst)
            break;
        ret_rows[count++] = worst;
    }
    return count;
}

static bool add_worst(const Sensitivity *sensitivity, bool schemes, const char *before, Buffer *out) {
    const SensitivityRow *rows[NAMED];
    size_t count = worst_find(sensitivity, schemes, rows);
    for (size_t i = 0; i < count; i++)
        buffer_format(out, "%s%s (%s, %+.2f)", i ? ", " : before, rows[i]->layer, rows[i]->change, loss_of(rows[i]));
    return count > 0;
}

static void add_sentence(const Sensitivity *sensitivity, Buffer *out) {
    size_t start = out->bytes;
    bool any = add_worst(sensitivity, true, "most sensitive to fewer bits: ", out);
    any |= add_worst(sensitivity, false, any ? "; to what is left out: " : "most sensitive to what is left out: ", out);
    if (!any)
        buffer_add_text(out, sensitivity->count ? "no change made the loss larger" : "nothing was measured");
    if (out->failed == OK && out->bytes > start) // a sentence begins with a capital
        out->data[start] = (char)(out->data[start] - 'a' + 'A');
}

Status sensitivity_report_people(Arena *arena, const SensitivityOptions *options, const Sensitivity *sensitivity,
                                 Buffer *out, Error *err) {
    ChangeTable table = {0};
    bool labelled = options->data->labelled;
    TRY(table_make(arena, options, sensitivity, &table, err));
    buffer_format(out,
                  "loss gained, in thousandths of a nat a token (%.2f as it is, on %zu tokens of %zu references)\n",
                  thousandths(sensitivity->base_loss), sensitivity->tokens, sensitivity->samples);
    add_table(&table, loss_of, out);
    if (isfinite(sensitivity->base_rouge)) {
        buffer_format(out, "\n%s lost, in percent (%.2f %% as it is, on %zu samples)\n",
                      labelled ? "exact matches" : "ROUGE-L", sensitivity->base_rouge * 100,
                      sensitivity->rouge_samples);
        add_table(&table, rouge_of, out);
    }
    buffer_add_text(out, "\nsaved: megabytes of the file of weights\n");
    add_table(&table, megabytes_of, out);
    buffer_format(out, "\nsaved: milliseconds a sample at batch 1 (%.2f as it is)\n", sensitivity->base_ms);
    add_table(&table, ms_of, out);
    buffer_add_char(out, '\n');
    add_sentence(sensitivity, out);
    return buffer_status(out, err);
}

// "encoder.layers.0", which neighbours share; all of a layer's name where it is one.
static size_t stem_of(const char *layer) {
    const char *dot = strstr(layer, ".layers.");
    if (!dot)
        return 0;
    size_t stem = (size_t)(dot - layer) + strlen(".layers.");
    stem += strspn(layer + stem, "0123456789");
    return layer[stem] == '.' ? stem : 0;
}

// What a cell's tooltip says besides the loss.
static Status note_make(Arena *arena, const SensitivityRow *row, const char **ret_note, Error *err) {
    char moved[48] = "";
    if (isfinite(row->output_error))
        snprintf(moved, sizeof moved, "output error %.3g, ", row->output_error);
    TRY_NEW(*ret_note = arena_format(arena, err, "%s: %ssaves %.3g MB, %.3g ms", row->change, moved, megabytes_of(row),
                                     row->ms_saved));
    return OK;
}

Status sensitivity_report_svg(Arena *arena, const SensitivityOptions *options, const Sensitivity *sensitivity,
                              Buffer *out, Error *err) {
    ChangeTable table = {0};
    TRY(table_make(arena, options, sensitivity, &table, err));
    PlotHeatRow *rows = arena_array(arena, table.layer_count + 1, sizeof *rows, err);
    TRY_NEW(rows);
    PlotCell *cells = arena_array(arena, table.layer_count * table.column_count + 1, sizeof *cells, err);
    TRY_NEW(cells);
    for (size_t l = 0; l < table.layer_count; l++)
        rows[l] = (PlotHeatRow){table.layers[l], stem_of(table.layers[l])};
    double most = 0; // of what is no whole layer: next to those all else would be pale
    for (size_t i = 0; i < table.layer_count * table.column_count; i++) {
        const SensitivityRow *row = table.cells[i];
        if (row && row->kind != CHANGE_LAYER)
            most = fmax(most, fabs(loss_of(row)));
        cells[i].value = row ? loss_of(row) : (double)NAN;
        if (row)
            TRY(note_make(arena, row, &cells[i].note, err));
    }
    PlotHeat heat = {.title = "What each layer costs",
                     .description = "A row for every layer, a column for every change: what the teacher-forced loss "
                                    "gains when that layer alone is changed.",
                     .legend = "loss gained, in thousandths of a nat a token; blue where it became less",
                     .rows = rows,
                     .row_count = table.layer_count,
                     .columns = table.columns,
                     .column_count = table.column_count,
                     .cells = cells,
                     .most = most};
    return plot_heat(&heat, out, err);
}

static json_t *names_json(const Sensitivity *sensitivity, bool schemes) {
    const SensitivityRow *rows[NAMED];
    size_t count = worst_find(sensitivity, schemes, rows);
    json_t *names = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(names, json_string(rows[i]->layer));
    return names;
}

void sensitivity_report_json(const char *model, const char *data, const Sensitivity *sensitivity, Buffer *out) {
    json_t *report = json_pack("{s:s, s:s, s:{s:o, s:o}}", "model", model, "data", data, "most_sensitive", "schemes",
                               names_json(sensitivity, true), "left_out", names_json(sensitivity, false));
    json_t *all = sensitivity_json(sensitivity);
    bool good = json_object_update(report, all) == 0;
    json_print(good ? report : NULL, JSON_COMPACT, out);
    json_decref(all);
    json_decref(report);
}
