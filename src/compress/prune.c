// SPDX-License-Identifier: Apache-2.0
// From options to a list of weights with masks or cuts, and the recipe; the steps are in prune_masks.c, prune_groups.c
// and prune_layers.c.
#include "compress/prune.h"

#include <math.h>
#include <string.h>

#include "arch/shapes.h"
#include "compress/prune_work.h"
#include "compress/quantize.h"

static const struct {
    const char *name, *unit;
    Status (*step)(Prune *prune, Error *err);
} methods[PRUNE_COUNT] = {
    [PRUNE_LN_STRUCTURED] = {"ln-structured", "values", prune_masks},
    [PRUNE_L1_UNSTRUCTURED] = {"l1-unstructured", "values", prune_masks},
    [PRUNE_HEADS] = {"heads", "heads", prune_groups},
    [PRUNE_FFN] = {"ffn", "neurons", prune_groups},
    [PRUNE_LAYERS] = {"layers", "layers", prune_layers},
};

const char *prune_method_name(PruneMethod method) {
    return methods[method].name;
}

Status prune_method_parse(const char *name, PruneMethod *ret_method, Error *err) {
    for (PruneMethod m = 0; m < PRUNE_COUNT; m++)
        if (strcmp(methods[m].name, name) == 0) {
            *ret_method = m;
            return OK;
        }
    return FAIL(err, ERR_USAGE,
                "--method is '%s', expected ln-structured, l1-unstructured, heads, ffn, layers or vocab", name);
}

Status prune_takes(const Prune *prune, const char *tensor_name, bool *ret_takes, Error *err) {
    *ret_takes = true;
    if (!prune->options->only)
        return OK;
    return keep_rule_matches(&(KeepRule){.pattern = prune->options->only}, tensor_name, ret_takes, err);
}

Weight *prune_weight(const Prune *prune, const Tensor *source) {
    const WeightList *list = &prune->rewrite.weights;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].source == source)
            return &list->items[i];
    return NULL;
}

Status prune_part(Prune *prune, const char *tensor_name, size_t units, size_t removed, Error *err) {
    PruneReport *report = &prune->report;
    PrunedPart *part = &report->parts[report->part_count];
    TRY_NEW(part->name = module_name(prune->arena, tensor_name, err));
    part->units = units;
    part->removed = removed;
    report->part_count++;
    report->units += units;
    report->removed += removed;
    return OK;
}

Status prune_edit(Prune *prune, const char *key, size_t value, Error *err) {
    ConfigEdit *edit = &prune->edits[prune->rewrite.edit_count++];
    edit->key = key;
    TRY_NEW(edit->value = arena_format(prune->arena, err, "%zu", value));
    return OK;
}

static Status shapes_copy(Prune *prune, Error *err) {
    LayerShapes *shapes = &prune->shapes;
    *shapes = prune->info->shapes;
    TRY_NEW(shapes->encoder = arena_array(prune->arena, shapes->encoder_layers, sizeof *shapes->encoder, err));
    TRY_NEW(shapes->decoder = arena_array(prune->arena, shapes->decoder_layers, sizeof *shapes->decoder, err));
    memcpy(shapes->encoder, prune->info->shapes.encoder, shapes->encoder_layers * sizeof *shapes->encoder);
    memcpy(shapes->decoder, prune->info->shapes.decoder, shapes->decoder_layers * sizeof *shapes->decoder);
    prune->encoder_ffn = prune->info->encoder_ffn;
    prune->decoder_ffn = prune->info->decoder_ffn;
    return OK;
}

static void add_recipe(Buffer *out, const PruneOptions *options) {
    buffer_format(out, "{\"command\": \"prune\", \"method\": \"%s\"", prune_method_name(options->method));
    if (options->two_of_four)
        buffer_add_text(out, ", \"pattern\": \"2:4\"");
    else if (options->amount.counted)
        buffer_format(out, ", \"amount\": %zu", options->amount.count);
    else
        buffer_format(out, ", \"amount\": %.9g%s", options->amount.fraction,
                      options->amount.fraction > 0 && options->amount.fraction < 1 ? "" : ".0");
    if (options->method == PRUNE_LN_STRUCTURED && isinf(options->n))
        buffer_format(out, ", \"n\": \"%sinf\", \"dim\": %d", options->n < 0 ? "-" : "", options->dim);
    else if (options->method == PRUNE_LN_STRUCTURED)
        buffer_format(out, ", \"n\": %.9g, \"dim\": %d", options->n, options->dim);
    if (options->global)
        buffer_add_text(out, ", \"global\": true");
    if (options->method == PRUNE_HEADS || options->method == PRUNE_FFN)
        buffer_format(out, ", \"mode\": \"%s\"", options->ragged ? "ragged" : "uniform");
    if (options->bitmap)
        buffer_add_text(out, ", \"store\": \"bitmap\"");
    if (options->data) {
        const char *name = path_name(options->data); // where it lay is nobody's business
        buffer_add_text(out, ", \"data\": ");
        buffer_add_json(out, name, strlen(name));
        if (options->samples)
            buffer_format(out, ", \"samples\": %zu", options->samples);
    }
    if (options->only) {
        buffer_add_text(out, ", \"only\": ");
        buffer_add_json(out, options->only, strlen(options->only));
    }
    buffer_add_char(out, '}');
}

static Status prune_write(Prune *prune, const char *output, Error *err) {
    prune->shapes.ragged = shapes_differ(&prune->shapes, prune->info->encoder_heads, prune->info->decoder_heads,
                                         prune->encoder_ffn, prune->decoder_ffn);
    Buffer recipe = {0};
    add_recipe(&recipe, prune->options);
    Status status = buffer_status(&recipe, err);
    prune->rewrite.recipe = recipe.data;
    if (status == OK)
        status = rewrite_model(prune->arena, &prune->rewrite, output, &prune->report.written, err);
    buffer_done(&recipe);
    return status;
}

Status prune_model(Arena *arena, const char *path, const char *output, const PruneOptions *options,
                   PruneReport *ret_report, Error *err) {
    Prune prune = {.arena = arena, .options = options, .rewrite = {.size = "pruned_bytes", .meter = options->meter}};
    TRY(model_open(arena, path, false, &prune.rewrite.model, err));
    prune.info = model_info(prune.rewrite.model);
    TRY(roles_check_real(arena, prune.rewrite.model, "prune", err));
    TRY(weights_assign(arena, prune.rewrite.model, &(QuantizeOptions){.scheme = STORE_AS_IS}, &prune.rewrite.weights,
                       err));
    TRY(shapes_copy(&prune, err));
    prune.rewrite.shapes = &prune.shapes;
    prune.rewrite.edits = prune.edits;
    prune.report.unit = methods[options->method].unit;
    prune.report.masked = methods[options->method].step == prune_masks;
    TRY_NEW(prune.report.parts = arena_array(arena, prune.rewrite.weights.count, sizeof *prune.report.parts, err));
    TRY(methods[options->method].step(&prune, err));
    TRY(prune_write(&prune, output, err));
    *ret_report = prune.report;
    return OK;
}
