// SPDX-License-Identifier: Apache-2.0
// Weights assigned by the options, then written again.
#include "compress/quantize.h"

#include <string.h>

static bool packs_int4(const QuantizeOptions *options) {
    bool packs = options->scheme == STORE_INT4 || options->embeddings == STORE_INT4;
    for (size_t i = 0; i < options->keep_count; i++)
        packs |= options->keeps[i].scheme == STORE_INT4;
    return packs;
}

static void add_recipe(Buffer *out, const QuantizeOptions *options) {
    buffer_format(out, "{\"command\": \"quantize\", \"scheme\": \"%s\"", weight_scheme_name(options->scheme));
    if (options->embeddings != STORE_AS_IS)
        buffer_format(out, ", \"embeddings\": \"%s\"", weight_scheme_name(options->embeddings));
    if (options->group)
        buffer_format(out, ", \"group\": %zu", options->group);
    if (packs_int4(options))
        buffer_format(out, ", \"scales\": \"%s\"", options->int4_rule == INT4_FIT ? "fit" : "absmax");
    if (options->double_quant)
        buffer_add_text(out, ", \"double_quant\": true");
    buffer_add_text(out, ", \"keep\": [");
    for (size_t i = 0; i < options->keep_count; i++) {
        buffer_add_text(out, i ? ", {\"pattern\": " : "{\"pattern\": ");
        buffer_add_json(out, options->keeps[i].pattern, strlen(options->keeps[i].pattern));
        buffer_format(out, ", \"scheme\": \"%s\"}", weight_scheme_name(options->keeps[i].scheme));
    }
    buffer_format(out, "], \"loadable\": %s}", options->loadable ? "true" : "false");
}

Status quantize_model(Arena *arena, const char *path, const char *output, const QuantizeOptions *options,
                      RewriteReport *ret_report, Error *err) {
    Rewrite rewrite = {.scheme = options->scheme, .size = "quantized_bytes", .meter = options->meter};
    TRY(model_open(arena, path, false, &rewrite.model, err));
    TRY(weights_assign(arena, rewrite.model, options, &rewrite.weights, err));
    Buffer recipe = {0};
    add_recipe(&recipe, options);
    Status status = buffer_status(&recipe, err);
    rewrite.recipe = recipe.data;
    if (status == OK)
        status = rewrite_model(arena, &rewrite, output, ret_report, err);
    buffer_done(&recipe);
    return status;
}
