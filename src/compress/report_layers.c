// SPDX-License-Identifier: Apache-2.0
// Layers: a strip for each layer of the model, in it a block for each of its weights: as wide as the original, filled
// as far as what is left of it, coloured by scheme.
#include <math.h>
#include <string.h>

#include "compress/report_part.h"
#include "measure/plot_svg.h"

enum { COLOURS = 8, SCHEMES_MOST = 32 };

typedef struct LayerBlock {
    const char *name, *scheme;
    size_t stem; // bytes of the name that name its strip: its layer's, else all
    double original_mb, mb;
    size_t colour; // of the schemes
} LayerBlock;

typedef struct SchemeSum {
    const char *name;
    size_t layers;
    double original_mb, mb;
} SchemeSum;

typedef struct Layers {
    LayerBlock *items;
    size_t count;
    SchemeSum schemes[SCHEMES_MOST], all;
    size_t scheme_count;
} Layers;

// A sum with something unknown in it is unknown.
static void sum_add(SchemeSum *sum, const LayerBlock *block) {
    sum->layers++;
    sum->original_mb += block->original_mb;
    sum->mb += block->mb;
}

static Status scheme_count(Layers *layers, LayerBlock *block, Error *err) {
    size_t s = 0;
    while (s < layers->scheme_count && strcmp(layers->schemes[s].name, block->scheme) != 0)
        s++;
    if (s == SCHEMES_MOST)
        return FAIL(err, ERR_LIMIT, "evidence: 'layers' has more than %d schemes", SCHEMES_MOST);
    if (s == layers->scheme_count)
        layers->schemes[layers->scheme_count++].name = block->scheme;
    block->colour = s;
    sum_add(&layers->schemes[s], block);
    sum_add(&layers->all, block);
    return OK;
}

static Status layers_read(const Report *report, Layers *layers, Error *err) {
    const json_t *array;
    TRY(report_array(report, "layers", &array, &layers->count, err));
    TRY_NEW(layers->items = arena_array(report->arena, layers->count, sizeof *layers->items, err));
    for (size_t i = 0; i < layers->count; i++) {
        LayerBlock *block = &layers->items[i];
        const json_t *item = NULL;
        char where[REPORT_WHERE_BYTES];
        TRY(report_item(array, "layers", i, where, &item, err));
        TRY(report_text(item, where, "name", &block->name, err));
        TRY(report_text(item, where, "scheme", &block->scheme, err));
        block->original_mb = block->mb = NAN;
        TRY(json_get_real(item, where, "original_mb", 0, PLOT_VALUE_MOST, &block->original_mb, err));
        TRY(json_get_real(item, where, "mb", 0, PLOT_VALUE_MOST, &block->mb, err));
        block->stem = report_stem_bytes(block->name);
        block->stem = block->stem ? block->stem : strlen(block->name);
        TRY(scheme_count(layers, block, err));
    }
    return OK;
}

// What a block is as wide as.
static double block_width(const LayerBlock *block) {
    double width = isfinite(block->original_mb) ? block->original_mb : block->mb;
    return isfinite(width) ? width : 0;
}

// The blocks from `first` that share its stem.
static size_t strip_count(const Layers *layers, size_t first, double *ret_width) {
    size_t count = 0;
    const LayerBlock *start = &layers->items[first];
    *ret_width = 0;
    while (first + count < layers->count) {
        const LayerBlock *block = &layers->items[first + count];
        if (block->stem != start->stem || strncmp(block->name, start->name, start->stem) != 0)
            break;
        *ret_width += block_width(block);
        count++;
    }
    return count;
}

static void add_block(const LayerBlock *block, double widest, Buffer *out) {
    double width = block_width(block), kept = width > 0 && isfinite(block->mb) ? fmin(block->mb / width, 1) : 1;
    buffer_format(out, "<span class=\"block k%zu\" style=\"width:%.2f%%\" title=\"", block->colour % COLOURS,
                  widest > 0 ? 100 * width / widest : 0);
    svg_escape(out, block->name);
    buffer_add_char(out, '\n');
    svg_escape(out, block->scheme);
    buffer_add_text(out, ", ");
    report_add_short(out, block->original_mb);
    buffer_add_text(out, " \xE2\x86\x92 ");
    report_add_short(out, block->mb);
    buffer_format(out, "\xC2\xA0MB\"><i style=\"width:%.1f%%\"></i></span>", 100 * kept);
}

static void add_strips(const Layers *layers, Buffer *out) {
    double widest = 0, width;
    for (size_t i = 0, count; i < layers->count; i += count) {
        count = strip_count(layers, i, &width);
        widest = fmax(widest, width);
    }
    buffer_add_text(out,
                    "<div class=\"strips\" role=\"group\" aria-label=\"A strip for each layer, a block for each of "
                    "its weights; the table below has the numbers\">\n");
    for (size_t i = 0, count; i < layers->count; i += count) {
        count = strip_count(layers, i, &width);
        SchemeSum sum = {0};
        for (size_t k = i; k < i + count; k++)
            sum_add(&sum, &layers->items[k]);
        buffer_add_text(out, "<div class=\"layer\"><span>");
        svg_escape_bytes(out, layers->items[i].name, layers->items[i].stem);
        buffer_add_text(out, "</span><span class=\"at\">");
        report_add_change(out, sum.original_mb, sum.mb, "MB");
        buffer_add_text(out, "</span><span class=\"strip\">");
        for (size_t k = i; k < i + count; k++)
            add_block(&layers->items[k], widest, out);
        buffer_add_text(out, "</span></div>\n");
    }
    buffer_add_text(out, "</div>\n");
}

static void add_legend(const Layers *layers, Buffer *out) {
    buffer_add_text(out, "<ul class=\"legend\">\n");
    for (size_t s = 0; s < layers->scheme_count; s++) {
        const SchemeSum *sum = &layers->schemes[s];
        buffer_format(out, "<li><span class=\"swatch k%zu\"></span>", s % COLOURS);
        svg_escape(out, *sum->name ? sum->name : "unknown");
        buffer_format(out, " (%zu weight%s) ", sum->layers, sum->layers == 1 ? "" : "s");
        report_add_change(out, sum->original_mb, sum->mb, "MB");
        buffer_add_text(out, "</li>\n");
    }
    buffer_add_text(out, "<li>pale: what was saved</li>\n</ul>\n");
}

static void add_layer_table(const Layers *layers, Buffer *out) {
    buffer_format(out, "<details><summary>All %zu weights in numbers</summary>\n", layers->count);
    report_begin_scroll(out, "pinned", "All weights in numbers");
    buffer_add_text(out, "<table>\n<thead><tr><th scope=\"col\" class=\"text\">Weight</th><th scope=\"col\" "
                         "class=\"text\">scheme</th><th scope=\"col\">original MB</th><th scope=\"col\">MB</th>"
                         "<th scope=\"col\">smaller by %</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < layers->count; i++) {
        const LayerBlock *block = &layers->items[i];
        buffer_add_text(out, "<tr><th scope=\"row\" class=\"text\">");
        svg_escape(out, block->name);
        buffer_add_text(out, "</th><td class=\"text\">");
        svg_escape(out, block->scheme);
        buffer_add_text(out, "</td><td>");
        report_add_number(out, block->original_mb, 3);
        buffer_add_text(out, "</td><td>");
        report_add_number(out, block->mb, 3);
        buffer_add_text(out, "</td><td>");
        report_add_number(out, 100 * (1 - block->mb / block->original_mb), 1);
        buffer_add_text(out, "</td></tr>\n");
    }
    buffer_add_text(out, "</tbody>\n</table>\n</div>\n</details>\n");
}

Status report_layers(Report *report, Error *err) {
    Layers layers = {0};
    TRY(layers_read(report, &layers, err));
    buffer_add_text(report->out,
                    "<p class=\"lead\">A block is a weight, as wide as the original is large and filled as "
                    "far as what is left of it. ");
    report_add_change(report->out, layers.all.original_mb, layers.all.mb, "MB in all.");
    buffer_add_text(report->out, "</p>\n");
    add_legend(&layers, report->out);
    add_strips(&layers, report->out);
    add_layer_table(&layers, report->out);
    return OK;
}
