// SPDX-License-Identifier: Apache-2.0
// What a model cannot run, told without running it.
#include "compress/trial.h"
#include "measure/data_ids.h"

static Status rows_check(Arena *arena, const char *path, const TrialOptions *options, Error *err) {
    const Model *model;
    Request request = {0};
    DataSet set = *options->data;
    TRY(model_open(arena, path, false, &model, err));
    TRY(generation_change(model, arena, options->options, options->context, &request.options, err));
    TRY(data_ids(arena, model, options->data_name, &set, err));
    for (size_t i = 0; i < set.count; i++) {
        request.ids = set.rows[i].ids;
        request.count = set.rows[i].id_count;
        if (request_check(&request, model_info(model)->most_positions, model_info(model)->vocabulary, err) == OK)
            continue;
        if (err->status == ERR_USAGE) // the options are fine: it is the data that asks for it
            err->status = ERR_FORMAT;
        return error_context(err, "model '%s', data '%s': sample %zu", path, options->data_name, i + 1);
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
