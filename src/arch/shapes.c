// SPDX-License-Identifier: Apache-2.0
// One LayerShape a layer, read and written.
#include "arch/shapes.h"

enum { MOST_FFN = 1 << 20 };

static Status layer_read(const json_t *row, const char *name, LayerShape *shape, Error *err) {
    int64_t heads = (int64_t)shape->heads, cross = (int64_t)shape->cross_heads, ffn = (int64_t)shape->ffn;
    TRY(json_get_int(row, name, "heads", 1, heads, &heads, err));
    TRY(json_get_int(row, name, "ffn", 1, MOST_FFN, &ffn, err));
    if (cross)
        TRY(json_get_int(row, name, "cross_heads", 1, cross, &cross, err));
    *shape = (LayerShape){(size_t)heads, (size_t)cross, (size_t)ffn};
    return OK;
}

static Status side_read(Arena *arena, const ArchInput *input, const char *side, LayerShape *layers, size_t count,
                        Error *err) {
    const json_t *rows = json_object_get(input->shapes, side);
    if (!json_is_array(rows) || json_array_size(rows) != count)
        return FAIL(err, ERR_FORMAT, "%s: 'shapes' has no list '%s' of %zu layers, which %s asks for",
                    input->shapes_name, side, count, input->config_name);
    for (size_t i = 0; i < count; i++) {
        const char *name = arena_format(arena, err, "%s: shapes.%s[%zu]", input->shapes_name, side, i);
        TRY_NEW(name);
        if (!json_is_object(json_array_get(rows, i)))
            return FAIL(err, ERR_FORMAT, "%s is no object", name);
        TRY(layer_read(json_array_get(rows, i), name, &layers[i], err));
    }
    return OK;
}

bool shapes_differ(const LayerShapes *shapes, size_t encoder_heads, size_t decoder_heads, size_t encoder_ffn,
                   size_t decoder_ffn) {
    for (size_t i = 0; i < shapes->encoder_layers; i++)
        if (shapes->encoder[i].heads != encoder_heads || shapes->encoder[i].ffn != encoder_ffn)
            return true;
    for (size_t i = 0; i < shapes->decoder_layers; i++)
        if (shapes->decoder[i].heads != decoder_heads || shapes->decoder[i].cross_heads != decoder_heads ||
            shapes->decoder[i].ffn != decoder_ffn)
            return true;
    return false;
}

Status shapes_read(Arena *arena, const ArchInput *input, ArchModel *m, Error *err) {
    LayerShapes shapes = {.encoder_layers = m->encoder_layers, .decoder_layers = m->decoder_layers};
    TRY_NEW(shapes.encoder = arena_array(arena, m->encoder_layers, sizeof *shapes.encoder, err));
    TRY_NEW(shapes.decoder = arena_array(arena, m->decoder_layers, sizeof *shapes.decoder, err));
    for (size_t i = 0; i < m->encoder_layers; i++)
        shapes.encoder[i] = (LayerShape){m->encoder_heads, 0, m->encoder_ffn};
    for (size_t i = 0; i < m->decoder_layers; i++)
        shapes.decoder[i] = (LayerShape){m->decoder_heads, m->decoder_heads, m->decoder_ffn};
    if (input->shapes && !json_is_object(input->shapes))
        return FAIL(err, ERR_FORMAT, "%s: 'shapes' is no object", input->shapes_name);
    if (input->shapes) {
        TRY(side_read(arena, input, "encoder", shapes.encoder, m->encoder_layers, err));
        TRY(side_read(arena, input, "decoder", shapes.decoder, m->decoder_layers, err));
    }
    shapes.ragged = shapes_differ(&shapes, m->encoder_heads, m->decoder_heads, m->encoder_ffn, m->decoder_ffn);
    m->shapes = shapes;
    return OK;
}

static void side_print(const LayerShape *layers, size_t count, Buffer *text) {
    for (size_t i = 0; i < count; i++) {
        buffer_format(text, "%s{\"heads\": %zu, ", i ? ", " : "", layers[i].heads);
        if (layers[i].cross_heads)
            buffer_format(text, "\"cross_heads\": %zu, ", layers[i].cross_heads);
        buffer_format(text, "\"ffn\": %zu}", layers[i].ffn);
    }
}

void shapes_print(const LayerShapes *shapes, Buffer *text) {
    buffer_add_text(text, "{\"encoder\": [");
    side_print(shapes->encoder, shapes->encoder_layers, text);
    buffer_add_text(text, "], \"decoder\": [");
    side_print(shapes->decoder, shapes->decoder_layers, text);
    buffer_add_text(text, "]}");
}
