// SPDX-License-Identifier: Apache-2.0
// Weights assigned by the options, then written again.
#include "compress/quantize.h"

#include <string.h>

#include "compress/gptq_weights.h"
#include "compress/manifest.h"

static bool packs_int4(const QuantizeOptions *options) {
    bool packs = options->scheme == STORE_INT4 || options->embeddings == STORE_INT4;
    for (size_t i = 0; i < options->keep_count; i++)
        packs |= options->keeps[i].scheme == STORE_INT4;
    return packs;
}

// The data by its contents: where it lies is nobody's business.
static Status add_statics(Arena *arena, const StaticOptions *statics, Buffer *out, Error *err) {
    Bytes data;
    FileRecord record;
    TRY(file_map(arena, statics->data, &data, err));
    file_record_fill(statics->data, data, NULL, &record);
    buffer_format(out, ", \"calibration\": {\"sha256\": \"%s\", \"rule\": \"%s\"", record.sha256,
                  threshold_rule_name(statics->rule));
    if (statics->rule == THRESHOLD_PERCENTILE && statics->percentile > 0)
        buffer_format(out, ", \"percentile\": %g", statics->percentile);
    if (statics->samples)
        buffer_format(out, ", \"samples\": %zu", statics->samples);
    if (statics->smooth > 0)
        buffer_format(out, ", \"smooth\": %g", statics->smooth);
    buffer_add_text(out, statics->correct_bias ? ", \"correct_bias\": true}" : "}");
    return OK;
}

static void add_recipe(Buffer *out, const QuantizeOptions *options) {
    buffer_format(out, "{\"command\": \"quantize\", \"scheme\": \"%s\"", weight_scheme_name(options->scheme));
    if (options->embeddings != STORE_AS_IS)
        buffer_format(out, ", \"embeddings\": \"%s\"", weight_scheme_name(options->embeddings));
    if (options->group)
        buffer_format(out, ", \"group\": %zu", options->group);
    if (packs_int4(options))
        buffer_format(out, ", \"scales\": \"%s\"", options->int4_rule == INT4_FIT ? "fit" : "absmax");
    if (options->gptq)
        buffer_add_text(out, ", \"gptq\": true");
    if (options->double_quant)
        buffer_add_text(out, ", \"double_quant\": true");
    buffer_add_text(out, ", \"keep\": [");
    for (size_t i = 0; i < options->keep_count; i++) {
        buffer_add_text(out, i ? ", {\"pattern\": " : "{\"pattern\": ");
        buffer_add_json(out, options->keeps[i].pattern, strlen(options->keeps[i].pattern));
        buffer_format(out, ", \"scheme\": \"%s\"}", weight_scheme_name(options->keeps[i].scheme));
    }
    buffer_format(out, "], \"loadable\": %s", options->loadable ? "true" : "false");
}

// What running the model over data decides.
static Status calibrated_choose(Arena *arena, const QuantizeOptions *options, const Model *model, WeightList *list,
                                Error *err) {
    const StaticOptions *statics = &options->statics;
    bool any_static = !options->gptq;
    if (options->gptq) {
        GptqOptions gptq = {statics->data, statics->samples, statics->threads, statics->level};
        TRY(gptq_weights_choose(arena, model, &gptq, &options->meter, list, err));
    }
    for (size_t i = 0; i < list->count; i++)
        any_static |= list->items[i].static_input;
    if (!any_static && (statics->save || statics->smooth > 0 || statics->correct_bias))
        return FAIL(err, ERR_USAGE, "what else is told of calibration is for int8-static, and no linear becomes that");
    return any_static ? static_inputs_choose(arena, model, statics, &options->meter, list, err) : OK;
}

Status quantize_model(Arena *arena, const char *path, const char *output, const QuantizeOptions *options,
                      RewriteReport *ret_report, Error *err) {
    Rewrite rewrite = {.scheme = options->scheme, .size = "quantized_bytes", .meter = options->meter};
    TRY(model_open(arena, path, false, &rewrite.model, err));
    TRY(weights_assign(arena, rewrite.model, options, &rewrite.weights, err));
    TRY(calibrated_choose(arena, options, rewrite.model, &rewrite.weights, err));
    Buffer recipe = {0};
    add_recipe(&recipe, options);
    Status status = options->statics.data ? add_statics(arena, &options->statics, &recipe, err) : OK;
    buffer_add_char(&recipe, '}');
    if (status == OK)
        status = buffer_status(&recipe, err);
    rewrite.recipe = recipe.data;
    if (status == OK)
        status = rewrite_model(arena, &rewrite, output, ret_report, err);
    buffer_done(&recipe);
    return status;
}
