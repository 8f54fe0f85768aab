// SPDX-License-Identifier: Apache-2.0
// Tokenizing data rows.
#include "measure/data_ids.h"

#include <string.h>

#include "engine/runtime.h"

static Status row_encode(Arena *arena, const Model *model, Encoder *encoder, DataRow *row, Error *err) {
    Encoding encoding;
    TRY(source_encode(model_info(model), encoder, row->source, row->source_bytes, true, &encoding, err));
    int32_t *ids = arena_array(arena, encoding.count, sizeof *ids, err);
    TRY_NEW(ids);
    memcpy(ids, encoding.ids, encoding.count * sizeof *ids);
    *row = (DataRow){.ids = ids, .id_count = encoding.count};
    return OK;
}

static Status rows_encode(Arena *arena, const Model *model, Encoder *encoder, const char *name, DataSet *set,
                          Error *err) {
    DataRow *rows = arena_array(arena, set->count, sizeof *rows, err);
    TRY_NEW(rows);
    memcpy(rows, set->rows, set->count * sizeof *rows);
    for (size_t i = 0; i < set->count; i++)
        if (row_encode(arena, model, encoder, &rows[i], err) != OK)
            return error_context(err, "model '%s', data '%s': sample %zu", model_info(model)->path, name, i + 1);
    set->rows = rows;
    return OK;
}

Status data_ids(Arena *arena, const Model *model, const char *name, DataSet *set, Error *err) {
    if (set->labelled)
        return OK;
    if (!model_tokenizer(model))
        return FAIL(err, ERR_UNSUPPORTED,
                    "model '%s' has no tokenizer files, and data '%s' holds texts: give rows of input_ids",
                    model_info(model)->path, name);
    Encoder *encoder;
    TRY(encoder_new(model_tokenizer(model), &encoder, err));
    Status status = rows_encode(arena, model, encoder, name, set, err);
    encoder_free(encoder);
    return status;
}

Status data_ids_of(Arena *arena, const char *path, const char *name, DataSet *set, Error *err) {
    if (set->labelled)
        return OK;
    Arena opened;
    arena_init(&opened, 0);
    const Model *model;
    Status status = model_open_settings(&opened, path, &model, err);
    if (status == OK)
        status = data_ids(arena, model, name, set, err);
    arena_done(&opened);
    return status;
}
