// SPDX-License-Identifier: Apache-2.0
// Tokenizing the rows of a trial, and telling what a model cannot run.
#include "compress/trial_rows.h"

#include <string.h>

static Status row_encode(Arena *arena, const Model *model, Encoder *encoder, DataRow *row, Error *err) {
    Encoding encoding;
    TRY(source_encode(model_info(model), encoder, row->source, row->source_bytes, true, &encoding, err));
    int32_t *ids = arena_array(arena, encoding.count, sizeof *ids, err);
    TRY_NEW(ids);
    memcpy(ids, encoding.ids, encoding.count * sizeof *ids);
    *row = (DataRow){.ids = ids, .id_count = encoding.count};
    return OK;
}

// What is wrong with row `index` of the data.
static Status row_failure(const Model *model, const TrialOptions *options, size_t index, Error *err) {
    return error_context(err, "model '%s', data '%s': sample %zu", model_info(model)->path, options->data_name,
                         index + 1);
}

static Status rows_encode(Arena *arena, const Model *model, Encoder *encoder, const TrialOptions *options, DataSet *set,
                          Error *err) {
    DataRow *rows = arena_array(arena, set->count, sizeof *rows, err);
    TRY_NEW(rows);
    memcpy(rows, set->rows, set->count * sizeof *rows);
    for (size_t i = 0; i < set->count; i++)
        if (row_encode(arena, model, encoder, &rows[i], err) != OK)
            return row_failure(model, options, i, err);
    set->rows = rows;
    return OK;
}

Status trial_rows(Arena *arena, const Model *model, const TrialOptions *options, size_t count, DataSet *ret_set,
                  Error *err) {
    DataSet set = *options->data;
    set.count = count;
    if (!set.labelled) {
        Encoder *encoder = NULL;
        if (model_tokenizer(model))
            TRY(encoder_new(model_tokenizer(model), &encoder, err));
        Status status = rows_encode(arena, model, encoder, options, &set, err);
        encoder_free(encoder);
        TRY(status);
    }
    *ret_set = set;
    return OK;
}

static Status rows_check(Arena *arena, const char *path, const TrialOptions *options, Error *err) {
    const Model *model;
    Request request = {0};
    DataSet set;
    TRY(model_open(arena, path, false, &model, err));
    TRY(generation_change(model, arena, options->options, options->context, &request.options, err));
    TRY(trial_rows(arena, model, options, options->data->count, &set, err));
    for (size_t i = 0; i < set.count; i++) {
        request.ids = set.rows[i].ids;
        request.count = set.rows[i].id_count;
        if (request_check(&request, model_info(model)->most_positions, model_info(model)->vocabulary, err) == OK)
            continue;
        if (err->status == ERR_USAGE) // the options are fine: it is the data that asks for it
            err->status = ERR_FORMAT;
        return row_failure(model, options, i, err);
    }
    return OK;
}

Status trial_check(const char *model, const TrialOptions *options, Error *err) {
    Arena arena;
    arena_init(&arena, 0);
    Status status = rows_check(&arena, model, options, err);
    arena_done(&arena);
    return status;
}
