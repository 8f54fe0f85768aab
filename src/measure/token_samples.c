// SPDX-License-Identifier: Apache-2.0
// Texts through the tokenizer, ids through a check.
#include "measure/token_samples.h"

#include <string.h>

#include "measure/known.h"

typedef struct Making {
    Arena *arena;
    const Model *model;
    const char *what, *name;
    Encoder *encoder;
    Known known; // of the texts
} Making;

static Status text_encode(Making *making, size_t index, Bytes text, const int32_t **ret_ids, size_t *ret_count,
                          Error *err) {
    Truncation cut = {.max_tokens = model_info(making->model)->most_positions};
    Encoding encoding;
    if (encoder_encode(making->encoder, (const char *)text.data, text.size, NULL, 0, (EncodeOptions){true, &cut},
                       &encoding, err) != OK)
        return error_context(err, "%s '%s', sample %zu", making->what, making->name, index + 1);
    int32_t *ids = arena_array(making->arena, encoding.count + 1, sizeof *ids, err);
    TRY_NEW(ids);
    if (encoding.count)
        memcpy(ids, encoding.ids, encoding.count * sizeof *ids);
    TRY(known_count(&making->known, ids, encoding.count, err));
    *ret_ids = ids;
    *ret_count = encoding.count;
    return OK;
}

static Status ids_check(const Making *making, size_t index, const int32_t *ids, size_t count, Error *err) {
    size_t vocabulary = model_info(making->model)->vocabulary;
    for (size_t i = 0; i < count; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= vocabulary)
            return FAIL(err, ERR_FORMAT, "%s '%s': sample %zu holds token id %d, outside the model's vocabulary of %zu",
                        making->what, making->name, index + 1, ids[i], vocabulary);
    return OK;
}

static Status sample_fill(Making *making, const DataRow *row, size_t index, TokenSample *sample, Error *err) {
    size_t most = model_info(making->model)->most_positions;
    if (row->ids) {
        *sample = (TokenSample){
            .ids = row->ids, .id_count = row->id_count, .labels = row->labels, .label_count = row->label_count};
    } else {
        Bytes source = {(const unsigned char *)row->source, row->source_bytes};
        TRY(text_encode(making, index, source, &sample->ids, &sample->id_count, err));
        if (row->reference_count)
            TRY(text_encode(making, index, row->references[0], &sample->labels, &sample->label_count, err));
    }
    sample->id_count = sample->id_count < most ? sample->id_count : most;
    sample->label_count = sample->label_count < most ? sample->label_count : most;
    if (!sample->id_count)
        return FAIL(err, ERR_FORMAT, "%s '%s': sample %zu has no tokens", making->what, making->name, index + 1);
    TRY(ids_check(making, index, sample->ids, sample->id_count, err));
    return ids_check(making, index, sample->labels, sample->label_count, err);
}

static Status samples_fill(Making *making, const DataSet *data, TokenSamples *samples, Error *err) {
    for (size_t i = 0; i < samples->count; i++) {
        TokenSample *sample = &samples->items[i];
        TRY(sample_fill(making, &data->rows[i], i, sample, err));
        samples->source_tokens += sample->id_count;
        samples->label_tokens += sample->label_count;
        samples->most_ids = sample->id_count > samples->most_ids ? sample->id_count : samples->most_ids;
        samples->most_labels = sample->label_count > samples->most_labels ? sample->label_count : samples->most_labels;
    }
    return known_check(&making->known, making->what, making->name, err);
}

Status token_samples_make(Arena *arena, const Model *model, const DataSet *data, size_t most, const char *what,
                          const char *name, TokenSamples *ret_samples, Error *err) {
    const Tokenizer *tokenizer = model_tokenizer(model);
    Making making = {.arena = arena, .model = model, .what = what, .name = name};
    TokenSamples samples = {.count = most && most < data->count ? most : data->count};
    TRY_NEW(samples.items = arena_array(arena, samples.count, sizeof *samples.items, err));
    if (!data->labelled && !tokenizer)
        return FAIL(err, ERR_UNSUPPORTED, "model '%s' has no tokenizer files: %s has to be input_ids",
                    model_info(model)->path, what);
    Status status = data->labelled ? OK : known_begin(&making.known, arena, tokenizer, err);
    if (status == OK && !data->labelled)
        status = encoder_new(tokenizer, &making.encoder, err);
    if (status == OK)
        status = samples_fill(&making, data, &samples, err);
    encoder_free(making.encoder);
    known_done(&making.known);
    if (status == OK)
        *ret_samples = samples;
    return status;
}

Status start_token_find(const Model *model, int32_t *ret_token, Error *err) {
    int32_t token = generation_start_token(model_generation(model));
    if (token < 0)
        return FAIL(err, ERR_FORMAT, "model '%s' has no decoder_start_token_id and no bos_token_id",
                    model_info(model)->path);
    *ret_token = token;
    return OK;
}
